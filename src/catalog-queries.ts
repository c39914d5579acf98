import { OWN_TABLES } from './migration.ts'

/**
 * The queries that `readCatalog` reads a schema with: what lies in the schemas of users, and what lies in
 * none. Each gives rows of an object, a property (empty for what the object itself is) and a value. To be
 * run with an empty search_path, so that every name comes with its schema. Names of columns that not
 * every version has (14 to 18) are looked up in the row as JSON.
 */
export function catalogQueries(serverVersion: number): readonly string[] {
  const publications = serverVersion >= 150000 ? PUBLICATIONS : PUBLICATIONS_14
  const columns = columnsOf(serverVersion >= 170000)
  return [
    ...[SCHEMAS, RELATIONS, columns, CONSTRAINTS, INDEXES, SEQUENCES, FUNCTIONS, AGGREGATES],
    ...[TRIGGERS, RULES, POLICIES, TYPES, DOMAINS, EXTENSIONS, COLLATIONS, CONVERSIONS],
    ...[OPERATORS, OPERATOR_FAMILIES, OPERATOR_CLASSES, TEXT_SEARCH, STATISTICS, CASTS, LANGUAGES],
    ...[ACCESS_METHODS, EVENT_TRIGGERS, FOREIGN_DATA, publications, SUBSCRIPTIONS],
    ...[DEPENDENCIES, COMMENTS, GRANTS],
  ]
    .map(identified)
    .concat(DEFAULT_PRIVILEGES)
}

/**
 * Of rows (class, object, sub-object, relation, property, value): the same in words. A function that
 * stands in a list of columns takes less time than one in FROM.
 */
function identified(query: string): string {
  return `select (i).type || ' ' || (i).identity as object, nullif(relation, 0)::regclass::text as relation, property, value
    from (select pg_identify_object(classid, objid, objsubid) as i, relation, property, value
            from (${query} offset 0) as l (classid, objid, objsubid, relation, property, value)
           where value is not null offset 0) as l
   where (i).identity not like 'pg\\_temp%' and (i).identity not like '% on pg\\_temp%'`
}

/** The word for each letter that stands in a column; null for any other. */
const wordFor = (column: string, words: Readonly<Record<string, string>>): string =>
  `case ${column} ${Object.entries(words)
    .map(([letter, word]) => `when '${letter}' then '${word}'`)
    .join(' ')} end`

const STORAGE = { p: 'plain', e: 'external', m: 'main', x: 'extended' }
const COMPRESSION = { p: 'pglz', l: 'lz4' }
const PARALLEL = { s: 'safe', r: 'restricted' }
const AGGREGATE_KINDS = { o: 'ordered set', h: 'hypothetical set' }
const MODIFIES = { r: 'read_only', s: 'shareable', w: 'read_write' }
const PROVIDERS = { b: 'builtin', c: 'libc', i: 'icu', d: 'default' }

/** Options as text, in an order that does not depend on the database's collation. */
const optionsOf = (options: string): string =>
  `case when ${options} <> '{}' then (select string_agg(o, ', ' order by o collate "C") from unnest(${options}) o) end`

/** The same of what lies on another server: what may be a secret is not shown. */
const foreignOptionsOf = (options: string): string =>
  `case when ${options} <> '{}' then (
     select string_agg(case when split_part(o, '=', 1) ~* 'pass|secret|token' then split_part(o, '=', 1) || '=…' else o end, ', '
              order by o collate "C") from unnest(${options}) o) end`

/*
 * Conditions as subqueries that stand by themselves: each is run once, and the planner, whose time is the
 * better part of it all, has fewer tables to put in order than with joins.
 */

/** True for what belongs to no extension: that comes and goes with it. There is an index on what is depended on. */
const isOwn = (catalog: string, oid: string): string =>
  `${oid} not in (select objid from pg_depend
     where refclassid = 'pg_extension'::regclass and classid = '${catalog}'::regclass and deptype = 'e')`

/** True for what is no part of another object. */
const comesByItself = (catalog: string, oid: string): string =>
  `${oid} not in (select objid from pg_depend where classid = '${catalog}'::regclass and deptype = 'i')`

const isInUserSchema = (namespace: string): string =>
  `${namespace} = any (array(select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'))`

const names = OWN_TABLES.map((name) => `'${name}'`).join(', ')

/** Of a row `c` of pg_class: true for users' tables and what is like them, but for the tables of this tool. */
const isUserRelation = `${isInUserSchema('c.relnamespace')} and c.relname not in (${names})`

/** Tables and what is like them. */
export const USER_RELATIONS = `(select c.* from pg_class c where ${isUserRelation} and ${isOwn('pg_class', 'c.oid')})`

const SCHEMAS = `
  select 'pg_namespace'::regclass, n.oid, 0, 0, '', '' from pg_namespace n
   where ${isInUserSchema('n.oid')} and ${isOwn('pg_namespace', 'n.oid')}`

const RELATIONS = `
  select 'pg_class'::regclass, c.oid, 0, c.oid, p.* from ${USER_RELATIONS} c, lateral (values
    ('', ''),
    ('persistence', case c.relpersistence when 'u' then 'unlogged' end),
    ('partition key', case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end),
    (case when c.relispartition then 'parent' else 'parents' end, (
      select string_agg(concat_ws(' ', h.inhparent::regclass, pg_get_expr(c.relpartbound, c.oid),
               case when h.inhdetachpending then 'detach pending' end), ', ' order by h.inhseqno)
        from pg_inherits h where h.inhrelid = c.oid)),
    ('options', ${optionsOf('c.reloptions')}),
    ('toast options', (select ${optionsOf('t.reloptions')} from pg_class t where t.oid = c.reltoastrelid)),
    ('access method', (select amname from pg_am where oid = c.relam and amname <> 'heap')),
    ('tablespace', (select spcname from pg_tablespace where oid = c.reltablespace)),
    ('replica identity', case when c.relkind in ('r', 'p', 'm') then case c.relreplident when 'f' then 'full' when 'n' then 'nothing' end end),
    ('row security', case when c.relforcerowsecurity then 'forced' || case when c.relrowsecurity then '' else ', but off' end
                          when c.relrowsecurity then 'on' end),
    ('row type', nullif(c.reloftype, 0)::regtype::text),
    ('definition', case when c.relkind in ('v', 'm') then btrim(pg_get_viewdef(c.oid)) end),
    ('server', (select concat_ws(' ', s.srvname, ${foreignOptionsOf('f.ftoptions')})
                  from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = c.oid)),
    ('columns', (select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
                   from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
  ) p (property, value)
  where c.relkind in ('r', 'p', 'v', 'm', 'f')`

/** True for what a child table would keep where its parent lost it; a partition can't be without its parent's. */
const alsoDefinedHere = (inheritedCount: string, isLocal: string): string =>
  `case when ${inheritedCount} > 0 and ${isLocal} and not c.relispartition then 'also defined here' end`

/**
 * NOT NULL without its name: only from version 18 on it has one. The identity of a partition is its
 * parent's from version 17 on, and nobody's before.
 */
const columnsOf = (inheritsIdentity: boolean): string => `
  select 'pg_class'::regclass, a.attrelid, a.attnum::int, c.oid, '', concat_ws(' ',
      format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
      case when c.relkind <> 'v' and a.attstorage <> t.typstorage then 'storage ' || ${wordFor('a.attstorage', STORAGE)} end,
      'compression ' || ${wordFor('a.attcompression', COMPRESSION)},
      case ${inheritsIdentity ? 'when c.relispartition then null' : ''}
        when a.attidentity = 'a' then 'generated always as identity' when a.attidentity = 'd' then 'generated by default as identity' end,
      case when a.attnotnull then 'not null' end, case when n.connoinherit then 'no inherit' end,
      case when not n.convalidated then 'not valid' end,
      case a.attgenerated when '' then 'default ' || pg_get_expr(d.adbin, d.adrelid)
        when 's' then 'generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') stored'
        else 'generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') virtual' end,
      'statistics ' || nullif(a.attstattarget, -1),
      'options ' || ${foreignOptionsOf('a.attoptions || a.attfdwoptions')}, ${alsoDefinedHere('a.attinhcount', 'a.attislocal')})
    from ${USER_RELATIONS} c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_constraint n on n.contype = 'n' and n.conrelid = a.attrelid and n.conkey = array[a.attnum]
   where c.relkind in ('r', 'p', 'v', 'm', 'f')`

/** When a trigger fires; null where it fires as any other does. */
const firingOf = (column: string): string =>
  wordFor(column, { D: 'disabled', R: 'on replicas', A: 'always' })

/** A foreign key to a partitioned table has a row for each partition: only the first is anybody's. */
const CONSTRAINTS = `
  select 'pg_constraint'::regclass, k.oid, 0, c.oid, p.*
    from pg_constraint k join ${USER_RELATIONS} c on c.oid = k.conrelid,
    lateral (values
      ('', concat_ws(', ', pg_get_constraintdef(k.oid), ${alsoDefinedHere('k.coninhcount', 'k.conislocal')})),
      ('triggers', case when k.contype = 'f' then (
        select string_agg(distinct ${firingOf('t.tgenabled')}, ', ') from pg_trigger t where t.tgconstraint = k.oid) end)
    ) p (property, value)
   where k.contype in ('c', 'f', 'p', 'u', 'x') and not (k.contype = 'f' and k.conparentid <> 0)`

/** What a constraint made, it describes: then there is only what is said of the index itself. */
const INDEXES = `
  select 'pg_class'::regclass, i.indexrelid, 0, c.oid, p.* from pg_index i
    join ${USER_RELATIONS} c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
    left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x'),
    lateral (values
      ('', case when k.oid is null then pg_get_indexdef(i.indexrelid) end),
      ('validity', case when not i.indisvalid then 'invalid' end),
      ('cluster', case when i.indisclustered then 'clustered on' end),
      ('replica identity', case when i.indisreplident then 'used' end),
      ('constraint options', case when k.oid is not null then ${optionsOf('x.reloptions')} end),
      ('tablespace', (select spcname from pg_tablespace where oid = x.reltablespace)),
      ('parent', (select h.inhparent::regclass::text from pg_inherits h where h.inhrelid = i.indexrelid)),
      ('statistics', (select string_agg(format('%s %s', attnum, attstattarget), ', ' order by attnum)
                        from pg_attribute where attrelid = i.indexrelid and attstattarget >= 0))
    ) p (property, value)`

const SEQUENCES = `
  select 'pg_class'::regclass, c.oid, 0, 0, p.* from ${USER_RELATIONS} c join pg_sequence s on s.seqrelid = c.oid, lateral (values
    ('', format('%s start %s increment %s from %s to %s cache %s%s', format_type(s.seqtypid, null), s.seqstart,
      s.seqincrement, s.seqmin, s.seqmax, s.seqcache, case when s.seqcycle then ' cycle' end)),
    ('persistence', case c.relpersistence when 'u' then 'unlogged' end),
    ('owner column', (select format('%s.%I', d.refobjid::regclass, a.attname)
       from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0))
  ) p (property, value)`

/** Without those that come with a range. */
const FUNCTIONS = `
  select 'pg_proc'::regclass, p.oid, 0, 0, '', rtrim(pg_get_functiondef(p.oid), E'\\n') from pg_proc p
   where p.prokind <> 'a' and ${comesByItself('pg_proc', 'p.oid')} and ${isInUserSchema('p.pronamespace')} and ${isOwn('pg_proc', 'p.oid')}`

const AGGREGATES = `
  select 'pg_proc'::regclass, p.oid, 0, 0, '', concat_ws(', ',
      ${wordFor('g.aggkind', AGGREGATE_KINDS)}, 'arguments (' || pg_get_function_arguments(p.oid) || ')',
      'parallel ' || ${wordFor('p.proparallel', PARALLEL)}, 'direct arguments ' || nullif(g.aggnumdirectargs, 0),
      'sfunc ' || g.aggtransfn::regproc, 'stype ' || g.aggtranstype::regtype, 'sspace ' || nullif(g.aggtransspace, 0),
      'finalfunc ' || nullif(g.aggfinalfn, 0)::regproc, case when g.aggfinalextra then 'finalfunc_extra' end,
      'finalfunc_modify ' || ${wordFor('nullif(g.aggfinalmodify, k.modifies)', MODIFIES)}, 'combinefunc ' || nullif(g.aggcombinefn, 0)::regproc,
      'serialfunc ' || nullif(g.aggserialfn, 0)::regproc, 'deserialfunc ' || nullif(g.aggdeserialfn, 0)::regproc,
      'initcond ' || g.agginitval, 'msfunc ' || nullif(g.aggmtransfn, 0)::regproc,
      'minvfunc ' || nullif(g.aggminvtransfn, 0)::regproc, 'mstype ' || nullif(g.aggmtranstype, 0)::regtype,
      'msspace ' || nullif(g.aggmtransspace, 0), 'mfinalfunc ' || nullif(g.aggmfinalfn, 0)::regproc,
      case when g.aggmfinalextra then 'mfinalfunc_extra' end, 'mfinalfunc_modify ' || ${wordFor('nullif(g.aggmfinalmodify, k.modifies)', MODIFIES)},
      'minitcond ' || g.aggminitval, 'sortop ' || nullif(g.aggsortop, 0)::regoperator)
    from pg_proc p join pg_aggregate g on g.aggfnoid = p.oid,
         lateral (select case g.aggkind when 'n' then 'r' else 'w' end::"char") as k (modifies)
   where ${isInUserSchema('p.pronamespace')} and ${isOwn('pg_proc', 'p.oid')}`

/** Those of partitions come from their parent's, but each may be disabled by itself; version 14 calls them internal. */
const TRIGGERS = `
  select 'pg_trigger'::regclass, t.oid, 0, c.oid, p.* from pg_trigger t join ${USER_RELATIONS} c on c.oid = t.tgrelid
    left join pg_trigger parent on parent.oid = t.tgparentid,
    lateral (values
      ('', case when t.tgparentid = 0 then pg_get_triggerdef(t.oid) end),
      ('firing', case when t.tgenabled is distinct from parent.tgenabled
                  then coalesce(${firingOf('t.tgenabled')}, case when t.tgparentid <> 0 then 'on origin' end) end)
    ) p (property, value)
   where not coalesce(parent.tgisinternal, t.tgisinternal)`

const RULES = `
  select 'pg_rewrite'::regclass, r.oid, 0, c.oid, p.* from pg_rewrite r join ${USER_RELATIONS} c on c.oid = r.ev_class,
    lateral (values ('', pg_get_ruledef(r.oid)), ('firing', ${firingOf('r.ev_enabled')})) p (property, value)
   where r.rulename <> '_RETURN'`

const POLICIES = `
  select 'pg_policy'::regclass, p.oid, 0, c.oid, '', concat_ws(' ',
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      'for ' || case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
      'to ' || (select string_agg(case r when 0 then 'public' else quote_ident(pg_get_userbyid(r)) end, ', ' order by pg_get_userbyid(r))
                  from unnest(p.polroles) r),
      'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
    from pg_policy p join ${USER_RELATIONS} c on c.oid = p.polrelid`

/** Without those that come with a table, an array or a range. */
const TYPES = `
  select 'pg_type'::regclass, t.oid, 0, 0, '', case t.typtype
      when 'e' then (select 'enum (' || string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) || ')'
                       from pg_enum e where e.enumtypid = t.oid)
      when 'c' then (select '(' || coalesce(string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                         case when a.attcollation <> b.typcollation then 'collate ' || a.attcollation::regcollation end), ', '
                         order by a.attnum), '') || ')'
                       from pg_attribute a join pg_type b on b.oid = a.atttypid
                      where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)
      when 'r' then (select concat_ws(' ', 'range of', format_type(r.rngsubtype, null),
                         'operator class ' || (select format('%I.%I', n.nspname, o.opcname)
                            from pg_opclass o join pg_namespace n on n.oid = o.opcnamespace where o.oid = r.rngsubopc),
                         'collate ' || nullif(r.rngcollation, 0)::regcollation,
                         'canonical ' || nullif(r.rngcanonical, 0)::regproc, 'subtype_diff ' || nullif(r.rngsubdiff, 0)::regproc,
                         'multirange ' || r.rngmultitypid::regtype)
                       from pg_range r where r.rngtypid = t.oid)
      when 'b' then concat_ws(' ', 'base type: input', t.typinput, 'output', t.typoutput, 'length', t.typlen, 'align', t.typalign,
                       'storage', t.typstorage, 'category', t.typcategory, 'default ' || t.typdefault)
      when 'p' then 'shell' end
    from pg_type t
   where t.typtype in ('e', 'c', 'r', 'b', 'p') and ${isInUserSchema('t.typnamespace')} and ${isOwn('pg_type', 't.oid')}
     and (t.typrelid = 0 or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
     and not exists (select from pg_type e where e.typarray = t.oid)`

const DOMAINS = `
  select 'pg_type'::regclass, t.oid, 0, 0, '', concat_ws(' ',
      format_type(t.typbasetype, t.typtypmod),
      case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
      case when t.typnotnull then 'not null' end, 'default ' || pg_get_expr(t.typdefaultbin, 0))
    from pg_type t join pg_type b on b.oid = t.typbasetype
   where t.typtype = 'd' and ${isInUserSchema('t.typnamespace')} and ${isOwn('pg_type', 't.oid')}
  union all
  select 'pg_constraint'::regclass, k.oid, 0, 0, '', pg_get_constraintdef(k.oid)
    from pg_constraint k join pg_type t on t.oid = k.contypid
   where k.contype = 'c' and ${isInUserSchema('t.typnamespace')} and ${isOwn('pg_type', 't.oid')}`

/** The version only where it is not what the server would take by itself: that differs from one to the next. */
const EXTENSIONS = `
  select 'pg_extension'::regclass, e.oid, 0, 0, p.* from pg_extension e,
    lateral (values ('', 'in ' || e.extnamespace::regnamespace), ('version', (
      select e.extversion from pg_available_extensions v where v.name = e.extname and v.default_version <> e.extversion))
    ) p (property, value)`

/** The locale of ICU stands in the place of the C library’s in version 14. */
const COLLATIONS = `
  select 'pg_collation'::regclass, c.oid, 0, 0, '', concat_ws(', ', ${wordFor('c.collprovider', PROVIDERS)},
      'locale ' || coalesce(j.row ->> 'colllocale', j.row ->> 'colliculocale', case c.collprovider when 'i' then c.collcollate end),
      case c.collprovider when 'c' then concat('lc_collate ', c.collcollate, ', lc_ctype ', c.collctype) end, 'rules ' || (j.row ->> 'collicurules'),
      case when not c.collisdeterministic then 'not deterministic' end)
    from pg_collation c, lateral (select to_jsonb(c)) as j (row)
   where ${isInUserSchema('c.collnamespace')} and ${isOwn('pg_collation', 'c.oid')}`

const CONVERSIONS = `
  select 'pg_conversion'::regclass, c.oid, 0, 0, '', concat_ws(' ', case when c.condefault then 'default' end,
      pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding), 'by', c.conproc)
    from pg_conversion c
   where ${isInUserSchema('c.connamespace')} and ${isOwn('pg_conversion', 'c.oid')}`

const OPERATORS = `
  select 'pg_operator'::regclass, o.oid, 0, 0, '', concat_ws(', ', 'function ' || nullif(o.oprcode, 0)::regprocedure,
      'commutator ' || nullif(o.oprcom, 0)::regoperator, 'negator ' || nullif(o.oprnegate, 0)::regoperator,
      'restrict ' || nullif(o.oprrest, 0)::regproc, 'join ' || nullif(o.oprjoin, 0)::regproc,
      case when o.oprcanhash then 'hashes' end, case when o.oprcanmerge then 'merges' end)
    from pg_operator o
   where ${isInUserSchema('o.oprnamespace')} and ${isOwn('pg_operator', 'o.oid')}`

const OPERATOR_FAMILIES = `
  select 'pg_opfamily'::regclass, f.oid, 0, 0, '', coalesce((
      select string_agg(entry, ', ' order by entry collate "C") from (
        select format('operator %s %s%s', o.amopstrategy, o.amopopr::regoperator,
                 ' for order by ' || (select format('%I.%I', n.nspname, s.opfname)
                   from pg_opfamily s join pg_namespace n on n.oid = s.opfnamespace where s.oid = o.amopsortfamily)) as entry
          from pg_amop o where o.amopfamily = f.oid
        union all
        select format('function %s (%s, %s) %s', p.amprocnum, p.amproclefttype::regtype, p.amprocrighttype::regtype, p.amproc::regprocedure)
          from pg_amproc p where p.amprocfamily = f.oid) members), '')
    from pg_opfamily f
   where ${isInUserSchema('f.opfnamespace')} and ${isOwn('pg_opfamily', 'f.oid')}`

const OPERATOR_CLASSES = `
  select 'pg_opclass'::regclass, o.oid, 0, 0, '', concat_ws(' ', case when o.opcdefault then 'default' end,
      'for', o.opcintype::regtype, 'storage ' || nullif(o.opckeytype, 0)::regtype,
      'family', (select format('%I.%I', n.nspname, f.opfname)
         from pg_opfamily f join pg_namespace n on n.oid = f.opfnamespace where f.oid = o.opcfamily))
    from pg_opclass o
   where ${isInUserSchema('o.opcnamespace')} and ${isOwn('pg_opclass', 'o.oid')}`

const TEXT_SEARCH = `
  select 'pg_ts_config'::regclass, c.oid, 0, 0, '', 'parser ' || (select format('%I.%I', n.nspname, p.prsname)
      from pg_ts_parser p join pg_namespace n on n.oid = p.prsnamespace where p.oid = c.cfgparser) || coalesce((
      select string_agg(format(', %s: %s', t.alias, (
          select string_agg(m.mapdict::regdictionary::text, ' ' order by m.mapseqno)
            from pg_ts_config_map m where m.mapcfg = c.oid and m.maptokentype = t.tokid)), '' order by t.alias collate "C")
        from ts_token_type(c.cfgparser) t
       where exists (select from pg_ts_config_map m where m.mapcfg = c.oid and m.maptokentype = t.tokid)), '')
    from pg_ts_config c where ${isInUserSchema('c.cfgnamespace')} and ${isOwn('pg_ts_config', 'c.oid')}
  union all
  select 'pg_ts_dict'::regclass, d.oid, 0, 0, '', concat_ws(' ', 'template', (select format('%I.%I', n.nspname, t.tmplname)
      from pg_ts_template t join pg_namespace n on n.oid = t.tmplnamespace where t.oid = d.dicttemplate), d.dictinitoption)
    from pg_ts_dict d where ${isInUserSchema('d.dictnamespace')} and ${isOwn('pg_ts_dict', 'd.oid')}
  union all
  select 'pg_ts_parser'::regclass, p.oid, 0, 0, '', concat_ws(' ', 'start', p.prsstart, 'gettoken', p.prstoken,
      'end', p.prsend, 'headline ' || nullif(p.prsheadline, 0)::regproc, 'lextypes', p.prslextype)
    from pg_ts_parser p where ${isInUserSchema('p.prsnamespace')} and ${isOwn('pg_ts_parser', 'p.oid')}
  union all
  select 'pg_ts_template'::regclass, t.oid, 0, 0, '', concat_ws(' ', 'init ' || nullif(t.tmplinit, 0)::regproc, 'lexize', t.tmpllexize)
    from pg_ts_template t where ${isInUserSchema('t.tmplnamespace')} and ${isOwn('pg_ts_template', 't.oid')}`

const STATISTICS = `
  select 'pg_statistic_ext'::regclass, s.oid, 0, c.oid, '',
      concat_ws(' ', pg_get_statisticsobjdef(s.oid), 'target ' || nullif(s.stxstattarget, -1))
    from pg_statistic_ext s join ${USER_RELATIONS} c on c.oid = s.stxrelid`

/** Of a row `d` about an object, with its row `c` of pg_class: the table that it is, or is an index of. */
const RELATION_OF = `
  case when c.relkind in ('i', 'I') then (select indrelid from pg_index where indexrelid = c.oid)
       when c.relkind not in ('S', 'c') then c.oid else 0 end`

/** Objects in no schema that the server came with have low numbers: src/include/access/transam.h, FirstNormalObjectId. */
const isMade = (oid: string): string => `${oid} >= 16384`

const CASTS = `
  select 'pg_cast'::regclass, c.oid, 0, 0, '', concat_ws(' ',
      case c.castmethod when 'b' then 'without function' when 'i' then 'with inout' else 'with ' || c.castfunc::regprocedure end,
      case c.castcontext when 'a' then 'as assignment' when 'i' then 'as implicit' end)
    from pg_cast c where ${isMade('c.oid')} and ${isOwn('pg_cast', 'c.oid')} and ${comesByItself('pg_cast', 'c.oid')}
  union all
  select 'pg_transform'::regclass, t.oid, 0, 0, '', concat_ws(' ', 'from sql', t.trffromsql, 'to sql', t.trftosql)
    from pg_transform t where ${isMade('t.oid')} and ${isOwn('pg_transform', 't.oid')}`

const LANGUAGES = `
  select 'pg_language'::regclass, l.oid, 0, 0, '', concat_ws(' ', case when l.lanpltrusted then 'trusted' end, 'handler',
      nullif(l.lanplcallfoid, 0)::regproc, 'inline ' || nullif(l.laninline, 0)::regproc, 'validator ' || nullif(l.lanvalidator, 0)::regproc)
    from pg_language l where ${isMade('l.oid')} and ${isOwn('pg_language', 'l.oid')}`

const ACCESS_METHODS = `
  select 'pg_am'::regclass, a.oid, 0, 0, '', case a.amtype when 'i' then 'index' else 'table' end || ' handler ' || a.amhandler
    from pg_am a where ${isMade('a.oid')} and ${isOwn('pg_am', 'a.oid')}`

const EVENT_TRIGGERS = `
  select 'pg_event_trigger'::regclass, e.oid, 0, 0, p.* from pg_event_trigger e, lateral (values
    ('', concat_ws(' ', 'on', e.evtevent, 'when tag in (' || (select string_agg(t, ', ' order by t collate "C") from unnest(e.evttags) t) || ')',
      'execute', e.evtfoid::regprocedure)),
    ('firing', ${firingOf('e.evtenabled')})
  ) p (property, value) where ${isOwn('pg_event_trigger', 'e.oid')}`

/** Of a user mapping the names of the options alone: one of them is the password. */
const FOREIGN_DATA = `
  select 'pg_foreign_data_wrapper'::regclass, w.oid, 0, 0, '', concat_ws(' ', 'handler ' || nullif(w.fdwhandler, 0)::regproc,
      'validator ' || nullif(w.fdwvalidator, 0)::regproc, 'options ' || ${foreignOptionsOf('w.fdwoptions')})
    from pg_foreign_data_wrapper w where ${isOwn('pg_foreign_data_wrapper', 'w.oid')}
  union all
  select 'pg_foreign_server'::regclass, s.oid, 0, 0, '', concat_ws(' ', 'wrapper', w.fdwname, 'type ' || s.srvtype, 'version ' || s.srvversion,
      'options ' || ${foreignOptionsOf('s.srvoptions')})
    from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw where ${isOwn('pg_foreign_server', 's.oid')}
  union all
  select 'pg_user_mapping'::regclass, m.umid, 0, 0, '',
      coalesce((select 'options ' || string_agg(split_part(o, '=', 1), ', ' order by o collate "C") from unnest(m.umoptions) o), '')
    from pg_user_mappings m`

const publications = (tables: string, schemas: string): string => `
  select 'pg_publication'::regclass, p.oid, 0, 0, '', concat_ws(', ', case when p.puballtables then 'all tables' end,
      ${tables}${schemas}
      case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
      case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end,
      case when p.pubviaroot then 'via root' end, case to_jsonb(p) ->> 'pubgencols' when 's' then 'stored generated columns' end)
    from pg_publication p where ${isOwn('pg_publication', 'p.oid')}`

const PUBLICATIONS_14 = publications(
  `(select string_agg('table ' || r.prrelid::regclass, ', ' order by r.prrelid::regclass::text collate "C")
      from pg_publication_rel r where r.prpubid = p.oid),`,
  '',
)

const PUBLICATIONS = publications(
  `(select string_agg(concat_ws(' ', 'table', r.prrelid::regclass, (
        select '(' || string_agg(quote_ident(a.attname), ', ' order by a.attname) || ')'
          from pg_attribute a where a.attrelid = r.prrelid and a.attnum = any (r.prattrs::int2[])),
        'where ' || pg_get_expr(r.prqual, r.prrelid)), ', ' order by r.prrelid::regclass::text collate "C")
      from pg_publication_rel r where r.prpubid = p.oid),`,
  `(select string_agg('schema ' || s.pnnspid::regnamespace, ', ' order by s.pnnspid::regnamespace::text collate "C")
      from pg_publication_namespace s where s.pnpubid = p.oid),`,
)

/** Without how to connect: a password is part of that. */
const SUBSCRIPTIONS = `
  select 'pg_subscription'::regclass, s.oid, 0, 0, '', concat_ws(', ', case when s.subenabled then 'enabled' end,
      'publications ' || (select string_agg(quote_ident(p), ', ' order by p collate "C") from unnest(s.subpublications) p),
      'slot ' || quote_ident(s.subslotname), 'synchronous commit ' || s.subsynccommit)
    from pg_subscription s where s.subdbid = (select oid from pg_database where datname = current_database())`

/** What ALTER … DEPENDS ON EXTENSION says: it goes with the extension, though it is no part of it. */
const DEPENDENCIES = `
  select d.classid, d.objid, d.objsubid, 0, 'dependency', string_agg('extension ' || quote_ident(e.extname), ', ' order by e.extname)
    from pg_extension e join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
   where d.deptype = 'x' group by d.classid, d.objid, d.objsubid`

/** An extension’s own comment comes with it; a large object is data. */
const COMMENTS = `
  select d.classoid, d.objoid, d.objsubid, ${RELATION_OF}, 'comment', d.description
    from pg_description d left join pg_class c on d.classoid = 'pg_class'::regclass and c.oid = d.objoid
   where (${isMade('d.objoid')} or d.classoid = 'pg_namespace'::regclass and d.objoid = to_regnamespace('public')
           and d.description <> 'standard public schema')
     and d.classoid not in ('pg_extension'::regclass, 'pg_largeobject'::regclass)
     and not exists (select from pg_depend e where e.classid = d.classoid and e.objid = d.objoid and e.deptype = 'e')
     and (c.oid is null or c.relname not in (${names}))
  union all
  select d.classoid, d.objoid, d.objsubid, ${RELATION_OF}, 'security label of ' || d.provider, d.label
    from pg_seclabel d left join pg_class c on d.classoid = 'pg_class'::regclass and c.oid = d.objoid
   where d.classoid <> 'pg_largeobject'::regclass
  union all
  select 'pg_extension'::regclass, e.oid, 0, 0, 'comment', d.description
    from pg_extension e join pg_description d on d.classoid = 'pg_extension'::regclass and d.objoid = e.oid
    left join pg_available_extensions v on v.name = e.extname
   where d.description is distinct from v.comment`

/**
 * Who else may do what, where that is not what a new object has: of what belongs to an extension too,
 * which remembers what it granted itself. The owner is called owner, whoever it is.
 */
const GRANTS = `
  with object (classid, objid, objsubid, kind, owner, acl) as (
    select 'pg_class'::regclass::oid, c.oid, 0, case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner, c.relacl
      from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and ${isUserRelation}
    union all
    select 'pg_class'::regclass, c.oid, a.attnum::int, 'c', c.relowner, a.attacl
      from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped where a.attacl is not null and ${isUserRelation}
    union all
    select 'pg_namespace'::regclass, n.oid, 0, 'n', n.nspowner, n.nspacl from pg_namespace n where ${isInUserSchema('n.oid')}
    union all
    select 'pg_proc'::regclass, p.oid, 0, 'f', p.proowner, p.proacl from pg_proc p where ${isInUserSchema('p.pronamespace')}
    union all
    select 'pg_type'::regclass, t.oid, 0, 'T', t.typowner, t.typacl from pg_type t where ${isInUserSchema('t.typnamespace')}
    union all
    select 'pg_language'::regclass, l.oid, 0, 'l', l.lanowner, l.lanacl from pg_language l
    union all
    select 'pg_foreign_data_wrapper'::regclass, w.oid, 0, 'F', w.fdwowner, w.fdwacl from pg_foreign_data_wrapper w
    union all
    select 'pg_foreign_server'::regclass, s.oid, 0, 'S', s.srvowner, s.srvacl from pg_foreign_server s),
  granted (classid, objid, objsubid, kind, owner, acl, given) as (
    select o.*, coalesce(i.initprivs, acldefault(o.kind, o.owner)) from object o
      left join pg_init_privs i on i.classoid = o.classid and i.objoid = o.objid and i.objsubid = o.objsubid
     where o.acl is not null)
  select d.classid, d.objid, d.objsubid, ${RELATION_OF}, d.property, d.value
    from (${changedGrants('granted')}) d left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid`

/** What objects to come will have. Of the role that looks, without its name. */
const DEFAULT_PRIVILEGES = `
  with granted (role, namespace, type, kind, owner, acl, given) as (
    select d.defaclrole, d.defaclnamespace, d.defaclobjtype, k.kind, d.defaclrole, d.defaclacl,
        acldefault(case d.defaclnamespace when 0 then k.kind else 'c' end, d.defaclrole) -- by itself nobody may do anything with a column
      from pg_default_acl d, lateral (select case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end) as k (kind))
  select concat_ws(' ', 'default privileges', case when role <> current_user::regrole then 'of ' || role::regrole end,
      'in ' || nullif(namespace, 0)::regnamespace, 'on', case type when 'r' then 'tables' when 'S' then 'sequences'
        when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas' else type::text end) as object,
      null as relation, property, value
    from (${changedGrants('granted')}) d`

/**
 * Of rows with what is granted (acl) and what would be by itself (given): a row for whomever that differs,
 * with a property and a value. All that there is to grant is called all, since later versions have more of it.
 */
function changedGrants(granted: string): string {
  return `
    select h.*, coalesce(now, 'nothing') as value,
        'grant to ' || case grantee when owner then 'owner' when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as property
      from (select c.*, h.grantee, ${privilegesOf('c.acl')} as now, ${privilegesOf('c.given')} as before
              from ${granted} c,
                   lateral (select grantee from aclexplode(c.acl) union select grantee from aclexplode(c.given)) h) h
     where now is distinct from before`
}

/** Those who granted it are not told apart; an owner can grant anyway. */
function privilegesOf(acl: string): string {
  return `(
    select case when count(*) = (select count(*) from aclexplode(acldefault(c.kind, c.owner)) where grantee = c.owner)
                then 'all' || case when bool_and(can_grant) then '*'
                                   else coalesce(', ' || string_agg(privilege || '*', ', ' order by privilege) filter (where can_grant), '') end
                else string_agg(privilege || case when can_grant then '*' else '' end, ', ' order by privilege) end
      from (select lower(privilege_type) collate "C", bool_or(is_grantable) and h.grantee <> c.owner
              from aclexplode(${acl}) where grantee = h.grantee group by 1) as each (privilege, can_grant)
    having count(*) > 0)`
}
