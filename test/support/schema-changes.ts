/** What is changed, the SQL that changes just that, and what the catalog is to tell of it. */
export type SchemaChange = readonly [what: string, sql: string, ...told: readonly string[]]

/** Changes of the rich schema, each by itself, by what they are changes of. */
export const SCHEMA_CHANGES: Readonly<Record<string, readonly SchemaChange[]>> = {
  schemas: [
    ['a schema', 'create schema wards', '+ schema wards'],
    [
      'a schema’s name',
      'alter schema "Odd ""name""" rename to odd',
      '- schema "Odd ""name"""',
      '+ schema odd',
      '- table "Odd ""name"""."user"',
      '- columns of table "Odd ""name"""."user"',
      '- table column "Odd ""name"""."user"."a b"',
      '+ table column odd."user"."a b": integer',
      '+ table odd."user"',
      '+ columns of table odd."user": "a b"',
    ],
  ],
  tables: [
    [
      'a table',
      'create table clinic.wards (id integer)',
      '+ table clinic.wards',
      '+ columns of table clinic.wards: id',
      '+ grant to catalog_reader of table clinic.wards: select',
      '+ table column clinic.wards.id: integer',
    ],
    [
      'a table’s name',
      'alter table clinic.beds rename to cots',
      '- table clinic.beds',
      '- columns of table clinic.beds',
      '+ table clinic.cots',
      '+ columns of table clinic.cots: visit_id, room, floor',
      '- table column clinic.beds.floor',
      '- table column clinic.beds.room',
      '- table column clinic.beds.visit_id',
      '+ table column clinic.cots.floor: integer',
      '+ table column clinic.cots.room: clinic.room',
      '+ table column clinic.cots.visit_id: bigint',
    ],
    [
      'a table’s schema',
      'alter table clinic.beds set schema public',
      '- table clinic.beds',
      '- columns of table clinic.beds',
      '- table column clinic.beds.floor',
      '- table column clinic.beds.room',
      '- table column clinic.beds.visit_id',
      '+ table column public.beds.floor: integer',
      '+ table column public.beds.room: clinic.room',
      '+ table column public.beds.visit_id: bigint',
      '+ table public.beds',
      '+ columns of table public.beds: visit_id, room, floor',
    ],
    [
      'a dropped table',
      'drop table clinic.beds',
      '- table clinic.beds',
      '- columns of table clinic.beds',
      '- table column clinic.beds.floor',
      '- table column clinic.beds.room',
      '- table column clinic.beds.visit_id',
    ],
    [
      'an unlogged table',
      'alter table clinic.beds set unlogged',
      '+ persistence of table clinic.beds: unlogged',
    ],
    [
      'storage parameters',
      'alter table clinic.visits set (fillfactor = 70, autovacuum_enabled = off)',
      '+ options of table clinic.visits: autovacuum_enabled=off, fillfactor=70',
    ],
    [
      'storage parameters of large values',
      'alter table clinic.patients set (toast.autovacuum_enabled = off)',
      '+ toast options of table clinic.patients: autovacuum_enabled=off',
    ],
    [
      'a table’s access method',
      'create table clinic.wards (id integer) using heap_too',
      '+ table clinic.wards',
      '+ access method of table clinic.wards: heap_too',
      '+ columns of table clinic.wards: id',
      '+ grant to catalog_reader of table clinic.wards: select',
      '+ table column clinic.wards.id: integer',
    ],
    [
      'a replica identity',
      'alter table clinic.patients replica identity full',
      '+ replica identity of table clinic.patients: full',
    ],
    [
      'a replica identity by an index',
      'alter table clinic.patients replica identity using index patients_number',
      '+ replica identity of index clinic.patients_number: used',
    ],
    [
      'no replica identity',
      'alter table clinic.patients replica identity nothing',
      '+ replica identity of table clinic.patients: nothing',
    ],
    [
      'a table of a type',
      'create table clinic.doses of clinic.dose',
      '+ table clinic.doses',
      '+ columns of table clinic.doses: amount, unit',
      '+ grant to catalog_reader of table clinic.doses: select',
      '+ row type of table clinic.doses: clinic.dose',
      '+ table column clinic.doses.amount: numeric(8,2)',
      '+ table column clinic.doses.unit: text',
    ],
  ],
  columns: [
    [
      'a column',
      'alter table clinic.beds add nurse text',
      '~ columns of table clinic.beds: visit_id, room, floor → visit_id, room, floor, nurse',
      '+ table column clinic.beds.nurse: text',
    ],
    [
      'a dropped column',
      'alter table clinic.beds drop floor',
      '~ columns of table clinic.beds: visit_id, room, floor → visit_id, room',
      '- table column clinic.beds.floor',
    ],
    [
      'a column’s name',
      'alter table clinic.beds rename floor to level',
      '~ columns of table clinic.beds: visit_id, room, floor → visit_id, room, level',
      '- table column clinic.beds.floor',
      '+ table column clinic.beds.level: integer',
    ],
    [
      'a column’s type',
      'alter table clinic.beds alter floor type bigint',
      '~ table column clinic.beds.floor: integer → bigint',
    ],
    [
      'a column’s length',
      'alter table clinic.patients alter weight type numeric(6, 2)',
      '~ table column clinic.patients.weight: numeric(5,2) → numeric(6,2)',
    ],
    [
      'a column’s collation',
      'alter table clinic.patients alter note type text collate "C"',
      '~ table column clinic.patients.note: text → text collate "C"',
    ],
    [
      'a collation of one’s own',
      'alter table clinic.patients alter note type text collate clinic.by_codepoint',
      '~ table column clinic.patients.note: text → text collate clinic.by_codepoint',
    ],
    [
      'a default',
      `alter table clinic.visits alter status set default 'open'`,
      `~ table column clinic.visits.status: text default 'planned'::text → text default 'open'::text`,
    ],
    [
      'a dropped default',
      'alter table clinic.visits alter status drop default',
      `~ table column clinic.visits.status: text default 'planned'::text → text`,
    ],
    [
      'not null',
      'alter table clinic.visits alter status set not null',
      `~ table column clinic.visits.status: text default 'planned'::text → text not null default 'planned'::text`,
    ],
    [
      'null again',
      'alter table clinic.patients alter born drop not null',
      '~ table column clinic.patients.born: date not null → date',
    ],
    [
      'an identity',
      'alter table clinic.staff alter id set not null, alter id add generated by default as identity',
      '+ sequence clinic.staff_id_seq: integer start 1 increment 1 from 1 to 2147483647 cache 1',
      '+ owner column of sequence clinic.staff_id_seq: clinic.staff.id',
      '~ table column clinic.doctors.id: integer → integer not null',
      '~ table column clinic.staff.id: integer → integer generated by default as identity not null',
    ],
    [
      'the kind of an identity',
      'alter table clinic.patients alter id set generated by default',
      '~ table column clinic.patients.id: integer generated always as identity not null → integer generated by default as identity not null',
    ],
    [
      'a dropped identity',
      'alter table clinic.patients alter id drop identity',
      '- sequence clinic.patients_id_seq',
      '- owner column of sequence clinic.patients_id_seq',
      '~ table column clinic.patients.id: integer generated always as identity not null → integer not null',
    ],
    [
      'what a column is generated from',
      'alter table clinic.patients drop initial, add initial text generated always as (lower("left"(name, 1))) stored',
      '~ columns of table clinic.patients: id, number, name, email, npi, severity, dose, doses, born, seen, weight, initial, note → id, number, name, email, npi, severity, dose, doses, born, seen, weight, note, initial',
      '~ table column clinic.patients.initial: text generated always as (upper("left"(name, 1))) stored → text generated always as (lower("left"(name, 1))) stored',
    ],
    [
      'a generated column that is one no longer',
      'alter table clinic.patients alter initial drop expression',
      '~ table column clinic.patients.initial: text generated always as (upper("left"(name, 1))) stored → text',
    ],
    [
      'a column’s storage',
      'alter table clinic.patients alter note set storage external',
      '~ table column clinic.patients.note: text → text storage external',
    ],
    [
      'a column’s compression',
      'alter table clinic.patients alter note set compression pglz',
      '~ table column clinic.patients.note: text → text compression pglz',
    ],
    [
      'a column’s statistics target',
      'alter table clinic.patients alter name set statistics 500',
      '~ table column clinic.patients.name: text not null → text not null statistics 500',
    ],
    [
      'a column’s options',
      'alter table clinic.patients alter name set (n_distinct = -0.5)',
      '~ table column clinic.patients.name: text not null → text not null options n_distinct=-0.5',
    ],
    [
      'the order of columns',
      'alter table clinic.beds drop floor, drop room, add floor integer, add room clinic.room',
      '~ columns of table clinic.beds: visit_id, room, floor → visit_id, floor, room',
    ],
  ],
  constraints: [
    [
      'a primary key',
      'alter table clinic.beds add constraint beds_key primary key (visit_id)',
      '~ table column clinic.beds.visit_id: bigint → bigint not null',
      '+ table constraint beds_key on clinic.beds: PRIMARY KEY (visit_id)',
    ],
    [
      'a dropped primary key',
      'alter table clinic.visits drop constraint visits_pkey',
      '- table constraint visits_pkey on clinic.visits',
    ],
    [
      'a unique constraint',
      'alter table clinic.patients add constraint patients_email unique (email)',
      '+ table constraint patients_email on clinic.patients: UNIQUE (email)',
    ],
    [
      'columns that an index only includes',
      'alter table clinic.patients add constraint patients_email unique (email) include (name)',
      '+ table constraint patients_email on clinic.patients: UNIQUE (email) INCLUDE (name)',
    ],
    [
      'a deferrable constraint',
      'alter table clinic.patients add constraint patients_email unique (email) deferrable initially deferred',
      '+ table constraint patients_email on clinic.patients: UNIQUE (email) DEFERRABLE INITIALLY DEFERRED',
    ],
    [
      'a foreign key that is deferrable',
      'alter table clinic.visits alter constraint visits_patient deferrable',
      '~ table constraint visits_patient on clinic.visits: FOREIGN KEY (patient_id) REFERENCES clinic.patients(id) → FOREIGN KEY (patient_id) REFERENCES clinic.patients(id) DEFERRABLE',
    ],
    [
      'a check',
      'alter table clinic.beds add constraint beds_floor check (floor >= 0)',
      '+ table constraint beds_floor on clinic.beds: CHECK ((floor >= 0))',
    ],
    [
      'a check that is not valid',
      'alter table clinic.beds add constraint beds_floor check (floor >= 0) not valid',
      '+ table constraint beds_floor on clinic.beds: CHECK ((floor >= 0)) NOT VALID',
    ],
    [
      'a check that is not inherited',
      'alter table clinic.staff add constraint staff_id check (id > 0) no inherit',
      '+ table constraint staff_id on clinic.staff: CHECK ((id > 0)) NO INHERIT',
    ],
    [
      'what a check says',
      'alter table clinic.patients drop constraint patients_weight, add constraint patients_weight check (weight > 1)',
      '~ table constraint patients_weight on clinic.patients: CHECK ((weight > (0)::numeric)) → CHECK ((weight > (1)::numeric))',
    ],
    [
      'a constraint’s name',
      'alter table clinic.patients rename constraint patients_weight to weight_is_positive',
      '- table constraint patients_weight on clinic.patients',
      '+ table constraint weight_is_positive on clinic.patients: CHECK ((weight > (0)::numeric))',
    ],
    [
      'a foreign key',
      'alter table clinic.beds add constraint beds_visit foreign key (visit_id) references clinic.visits',
      '+ table constraint beds_visit on clinic.beds: FOREIGN KEY (visit_id) REFERENCES clinic.visits(id)',
    ],
    [
      'a foreign key that is not valid',
      'alter table clinic.beds add constraint beds_visit foreign key (visit_id) references clinic.visits not valid',
      '+ table constraint beds_visit on clinic.beds: FOREIGN KEY (visit_id) REFERENCES clinic.visits(id) NOT VALID',
    ],
    [
      'what a foreign key does',
      'alter table clinic.visits drop constraint visits_patient, add constraint visits_patient foreign key (patient_id) references clinic.patients on delete cascade on update set null',
      '~ table constraint visits_patient on clinic.visits: FOREIGN KEY (patient_id) REFERENCES clinic.patients(id) → FOREIGN KEY (patient_id) REFERENCES clinic.patients(id) ON UPDATE SET NULL ON DELETE CASCADE',
    ],
    [
      'a full match',
      'alter table clinic.beds add constraint beds_visit foreign key (visit_id, room) references clinic.visits (id, room) match full',
      '+ table constraint beds_visit on clinic.beds: FOREIGN KEY (visit_id, room) REFERENCES clinic.visits(id, room) MATCH FULL',
    ],
    [
      'an exclusion',
      'alter table clinic.visits drop constraint visits_during, add constraint visits_during exclude using gist (during with &&) where (room > 0)',
      '~ table constraint visits_during on clinic.visits: EXCLUDE USING gist (during WITH &&) → EXCLUDE USING gist (during WITH &&) WHERE (((room)::integer > 0))',
    ],
    [
      'storage parameters of a constraint',
      'alter index clinic.patients_number set (fillfactor = 70)',
      '+ constraint options of index clinic.patients_number: fillfactor=70',
    ],
    [
      'foreign keys that are switched off',
      'alter table clinic.visits disable trigger all',
      '+ triggers of table constraint visits_patient on clinic.visits: disabled',
    ],
  ],
  indexes: [
    [
      'an index',
      'create index beds_floor on clinic.beds (floor)',
      '+ index clinic.beds_floor: CREATE INDEX beds_floor ON clinic.beds USING btree (floor)',
    ],
    [
      'a unique index',
      'create unique index beds_floor on clinic.beds (floor)',
      '+ index clinic.beds_floor: CREATE UNIQUE INDEX beds_floor ON clinic.beds USING btree (floor)',
    ],
    ['a dropped index', 'drop index clinic.visits_status', '- index clinic.visits_status'],
    [
      'an index’s name',
      'alter index clinic.visits_status rename to status_of_visits',
      '+ index clinic.status_of_visits: CREATE INDEX status_of_visits ON clinic.visits USING btree (status)',
      '- index clinic.visits_status',
    ],
    [
      'what an index is of',
      'drop index clinic.patients_name; create index patients_name on clinic.patients (upper(name))',
      '~ index clinic.patients_name: CREATE INDEX patients_name ON clinic.patients USING btree (lower(name)) → CREATE INDEX patients_name ON clinic.patients USING btree (upper(name))',
    ],
    [
      'an index of some rows',
      'create index beds_floor on clinic.beds (floor) where room > 0',
      '+ index clinic.beds_floor: CREATE INDEX beds_floor ON clinic.beds USING btree (floor) WHERE ((room)::integer > 0)',
    ],
    [
      'an index that includes columns',
      'create index beds_floor on clinic.beds (floor) include (visit_id)',
      '+ index clinic.beds_floor: CREATE INDEX beds_floor ON clinic.beds USING btree (floor) INCLUDE (visit_id)',
    ],
    [
      'the order of an index',
      'create index beds_floor on clinic.beds (floor desc nulls last)',
      '+ index clinic.beds_floor: CREATE INDEX beds_floor ON clinic.beds USING btree (floor DESC NULLS LAST)',
    ],
    [
      'an operator class',
      'create index patients_note on clinic.patients (note text_pattern_ops)',
      '+ index clinic.patients_note: CREATE INDEX patients_note ON clinic.patients USING btree (note text_pattern_ops)',
    ],
    [
      'an index’s collation',
      'create index patients_note on clinic.patients (note collate "C")',
      '+ index clinic.patients_note: CREATE INDEX patients_note ON clinic.patients USING btree (note COLLATE "C")',
    ],
    [
      'an index’s method',
      'create index patients_note on clinic.patients using hash (note)',
      '+ index clinic.patients_note: CREATE INDEX patients_note ON clinic.patients USING hash (note)',
    ],
    [
      'an index’s storage parameters',
      'alter index clinic.visits_status set (fillfactor = 70)',
      `~ index clinic.visits_status: CREATE INDEX visits_status ON clinic.visits USING btree (status) → CREATE INDEX visits_status ON clinic.visits USING btree (status) WITH (fillfactor='70')`,
    ],
    [
      'the table that an index orders',
      'alter table clinic.visits cluster on visits_status',
      '+ cluster of index clinic.visits_status: clustered on',
    ],
    [
      'an index’s statistics target',
      'alter index clinic.patients_name alter column 1 set statistics 300',
      '+ statistics of index clinic.patients_name: 1 300',
    ],
    [
      'an index that is not valid',
      `update pg_index set indisvalid = false where indexrelid = 'clinic.visits_status'::regclass`,
      '+ validity of index clinic.visits_status: invalid',
    ],
    [
      'an index of a parent that its partitions lack',
      'create index readings_value on only clinic.readings (value)',
      '+ index clinic.readings_value: CREATE INDEX readings_value ON ONLY clinic.readings USING btree (value)',
      '+ validity of index clinic.readings_value: invalid',
    ],
  ],
  'partitions and inheritance': [
    [
      'a partition',
      'create table clinic.readings_other partition of clinic.readings default',
      '+ index clinic.readings_other_at_idx: CREATE INDEX readings_other_at_idx ON clinic.readings_other USING btree (at)',
      '+ parent of index clinic.readings_other_at_idx: clinic.readings_at',
      '+ table clinic.readings_other',
      '+ columns of table clinic.readings_other: at, patient_id, value',
      '+ grant to catalog_reader of table clinic.readings_other: select',
      '+ parent of table clinic.readings_other: clinic.readings DEFAULT',
      '+ table column clinic.readings_other.at: timestamp with time zone not null',
      '+ table column clinic.readings_other.patient_id: integer',
      '+ table column clinic.readings_other.value: numeric',
    ],
    [
      'an attached partition',
      `alter table clinic.readings attach partition clinic.readings_2027 for values from ('2027-01-01 00:00+00') to ('2028-01-01 00:00+00')`,
      '+ index clinic.readings_2027_at_idx: CREATE INDEX readings_2027_at_idx ON clinic.readings_2027 USING btree (at)',
      '+ parent of index clinic.readings_2027_at_idx: clinic.readings_at',
      `+ parent of table clinic.readings_2027: clinic.readings FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2028-01-01 00:00:00+00')`,
    ],
    [
      'a detached partition',
      'alter table clinic.readings detach partition clinic.readings_2026',
      '- parent of index clinic.readings_2026_at_idx',
      '- parent of table clinic.readings_2026',
    ],
    [
      'a partition’s bounds',
      `alter table clinic.readings detach partition clinic.readings_2026; alter table clinic.readings attach partition clinic.readings_2026 for values from ('2025-01-01 00:00+00') to ('2027-01-01 00:00+00')`,
      `~ parent of table clinic.readings_2026: clinic.readings FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00') → clinic.readings FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')`,
    ],
    [
      'a partition key',
      'create table clinic.labs (code text, at date) partition by list (code)',
      '+ table clinic.labs',
      '+ columns of table clinic.labs: code, at',
      '+ grant to catalog_reader of table clinic.labs: select',
      '+ partition key of table clinic.labs: LIST (code)',
      '+ table column clinic.labs.at: date',
      '+ table column clinic.labs.code: text',
    ],
    [
      'a partition of one column',
      'alter table clinic.readings_2026 alter value set default 0',
      '~ table column clinic.readings_2026.value: numeric → numeric default 0',
    ],
    [
      'a table that inherits',
      'alter table clinic.nurses inherit clinic.staff',
      '+ parents of table clinic.nurses: clinic.staff',
      '~ table column clinic.nurses.id: integer → integer also defined here',
      '~ table column clinic.nurses.name: text → text also defined here',
      `~ table constraint staff_name on clinic.nurses: CHECK ((name <> ''::text)) → CHECK ((name <> ''::text)), also defined here`,
    ],
    [
      'a table that inherits no longer',
      'alter table clinic.doctors no inherit clinic.staff',
      '- parents of table clinic.doctors',
    ],
    [
      'a column that a child keeps',
      'create table clinic.porters (id integer) inherits (clinic.staff)',
      '+ table clinic.porters',
      '+ columns of table clinic.porters: id, name',
      '+ grant to catalog_reader of table clinic.porters: select',
      '+ parents of table clinic.porters: clinic.staff',
      '+ table column clinic.porters.id: integer also defined here',
      '+ table column clinic.porters.name: text',
      `+ table constraint staff_name on clinic.porters: CHECK ((name <> ''::text))`,
    ],
    [
      'a column that a child does not keep',
      'create table clinic.porters () inherits (clinic.staff)',
      '+ table clinic.porters',
      '+ columns of table clinic.porters: id, name',
      '+ grant to catalog_reader of table clinic.porters: select',
      '+ parents of table clinic.porters: clinic.staff',
      '+ table column clinic.porters.id: integer',
      '+ table column clinic.porters.name: text',
      `+ table constraint staff_name on clinic.porters: CHECK ((name <> ''::text))`,
    ],
  ],
  sequences: [
    [
      'a sequence',
      'create sequence clinic.invoice_number as integer',
      '+ sequence clinic.invoice_number: integer start 1 increment 1 from 1 to 2147483647 cache 1',
    ],
    ['a dropped sequence', 'drop sequence clinic.chart_number', '- sequence clinic.chart_number'],
    [
      'a sequence’s numbers',
      'alter sequence clinic.chart_number minvalue 10 start 10 restart increment by 5 maxvalue 5000 cycle',
      '~ sequence clinic.chart_number: bigint start 1 increment 1 from 1 to 9223372036854775807 cache 1 → bigint start 10 increment 5 from 10 to 5000 cache 1 cycle',
    ],
    [
      'a sequence’s type',
      'alter sequence clinic.chart_number as smallint',
      '~ sequence clinic.chart_number: bigint start 1 increment 1 from 1 to 9223372036854775807 cache 1 → smallint start 1 increment 1 from 1 to 32767 cache 1',
    ],
    [
      'a sequence’s cache',
      'alter sequence clinic.chart_number cache 20',
      '~ sequence clinic.chart_number: bigint start 1 increment 1 from 1 to 9223372036854775807 cache 1 → bigint start 1 increment 1 from 1 to 9223372036854775807 cache 20',
    ],
    [
      'a sequence’s owner',
      'alter sequence clinic.chart_number owned by clinic.beds.floor',
      '+ owner column of sequence clinic.chart_number: clinic.beds.floor',
    ],
    [
      'an identity’s numbers',
      'alter table clinic.patients alter id set increment by 2 set cache 10',
      '~ sequence clinic.patients_id_seq: integer start 1 increment 1 from 1 to 2147483647 cache 1 → integer start 1 increment 2 from 1 to 2147483647 cache 10',
    ],
  ],
  views: [
    [
      'a view',
      'create view clinic.minors as select id from clinic.patients',
      '+ view clinic.minors',
      '+ columns of view clinic.minors: id',
      '+ definition of view clinic.minors: SELECT id FROM clinic.patients;',
      '+ grant to catalog_reader of view clinic.minors: select',
      '+ view column clinic.minors.id: integer',
    ],
    [
      'a dropped view',
      'drop view clinic.adult_names',
      '- view clinic.adult_names',
      '- columns of view clinic.adult_names',
      '- definition of view clinic.adult_names',
      '- view column clinic.adult_names.name',
    ],
    [
      'a view’s definition',
      'create or replace view clinic.adult_names as select name from clinic.adults where id > 0',
      '~ definition of view clinic.adult_names: -FROM clinic.adults a -WHERE (EXISTS ( SELECT -FROM clinic.visits -WHERE (visits.patient_id = a.id))); +FROM clinic.adults +WHERE (id > 0);',
    ],
    [
      'a view’s column',
      'create or replace view clinic.adult_names as select name, id from clinic.adults a where exists (select from clinic.visits where patient_id = a.id)',
      '~ columns of view clinic.adult_names: name → name, id',
      '~ definition of view clinic.adult_names: -SELECT name +SELECT name, +id',
      '+ view column clinic.adult_names.id: integer',
    ],
    [
      'a view’s column’s name',
      'alter view clinic.adult_names rename column name to full_name',
      '~ columns of view clinic.adult_names: name → full_name',
      '~ definition of view clinic.adult_names: -SELECT name +SELECT name AS full_name',
      '+ view column clinic.adult_names.full_name: text',
      '- view column clinic.adult_names.name',
    ],
    [
      'a view’s options',
      'alter view clinic.adult_names set (security_barrier)',
      '+ options of view clinic.adult_names: security_barrier=true',
    ],
    [
      'a view’s check option',
      'alter view clinic.adults set (check_option = cascaded)',
      '+ options of view clinic.adults: check_option=cascaded',
    ],
    [
      'a default of a view’s column',
      `alter view clinic.adults alter name set default 'unknown'`,
      `~ view column clinic.adults.name: text → text default 'unknown'::text`,
    ],
    [
      'a materialized view',
      'create materialized view clinic.names as select name from clinic.patients',
      '+ materialized view clinic.names',
      '+ columns of materialized view clinic.names: name',
      '+ definition of materialized view clinic.names: SELECT name FROM clinic.patients;',
      '+ grant to catalog_reader of materialized view clinic.names: select',
      '+ materialized view column clinic.names.name: text',
    ],
    [
      'what a materialized view shows',
      'drop materialized view clinic.counts; create materialized view clinic.counts as select severity, count(*) as patients from clinic.patients where id > 0 group by severity; create unique index counts_severity on clinic.counts (severity)',
      '~ definition of materialized view clinic.counts: +WHERE (id > 0)',
      '+ grant to catalog_reader of materialized view clinic.counts: select',
    ],
    [
      'a materialized view’s options',
      'alter materialized view clinic.counts set (fillfactor = 70)',
      '+ options of materialized view clinic.counts: fillfactor=70',
    ],
  ],
  functions: [
    [
      'a function',
      `create function clinic.one() returns integer language sql as 'select 1'`,
      '+ function clinic.one(): CREATE OR REPLACE FUNCTION clinic.one() RETURNS integer LANGUAGE sql AS $function$select 1$function$',
    ],
    [
      'a dropped function',
      'drop function clinic.age(date, date)',
      '- function clinic.age(pg_catalog.date,pg_catalog.date)',
    ],
    [
      'a function’s body',
      'create or replace function clinic.touch() returns trigger language plpgsql as $$ begin return old; end $$',
      '~ function clinic.touch(): -AS $function$ begin return new; end $function$ +AS $function$ begin return old; end $function$',
    ],
    [
      'a function’s volatility',
      'alter function clinic.age(date, date) immutable',
      '~ function clinic.age(pg_catalog.date,pg_catalog.date): -STABLE +IMMUTABLE',
    ],
    [
      'security definer',
      'alter function clinic.age(date, date) security definer',
      '~ function clinic.age(pg_catalog.date,pg_catalog.date): -STABLE +STABLE SECURITY DEFINER',
    ],
    [
      'a function’s search_path',
      'alter function clinic.age(date, date) set search_path = clinic',
      `~ function clinic.age(pg_catalog.date,pg_catalog.date): +SET search_path TO 'clinic'`,
    ],
    [
      'what a function costs',
      'alter function clinic.age(date, date) cost 5000',
      '~ function clinic.age(pg_catalog.date,pg_catalog.date): -STABLE +STABLE COST 5000',
    ],
    [
      'a strict function',
      'alter function clinic.age(date, date) strict',
      '~ function clinic.age(pg_catalog.date,pg_catalog.date): -STABLE +STABLE STRICT',
    ],
    [
      'a parallel function',
      'alter function clinic.age(date, date) parallel safe',
      '~ function clinic.age(pg_catalog.date,pg_catalog.date): -STABLE +STABLE PARALLEL SAFE',
    ],
    [
      'a leakproof function',
      'alter function clinic.age(date, date) leakproof',
      '~ function clinic.age(pg_catalog.date,pg_catalog.date): -STABLE +STABLE LEAKPROOF',
    ],
    [
      'a function’s default argument',
      `create or replace function clinic.age(born date, today date default '2026-11-23') returns integer language sql stable as $$ select extract(year from age(today, born))::integer $$`,
      `~ function clinic.age(pg_catalog.date,pg_catalog.date): -CREATE OR REPLACE FUNCTION clinic.age(born date, today date DEFAULT '2026-11-22'::date) +CREATE OR REPLACE FUNCTION clinic.age(born date, today date DEFAULT '2026-11-23'::date)`,
    ],
    [
      'an overloaded function',
      `create function clinic.age(text) returns integer language sql as 'select 1'`,
      '+ function clinic.age(pg_catalog.text): CREATE OR REPLACE FUNCTION clinic.age(text) RETURNS integer LANGUAGE sql AS $function$select 1$function$',
    ],
    [
      'a function’s extension',
      'alter function clinic.age(date, date) depends on extension citext',
      '+ dependency of function clinic.age(pg_catalog.date,pg_catalog.date): extension citext',
    ],
    [
      'a procedure',
      `create procedure clinic.sweep() language sql as 'select 1'`,
      '+ procedure clinic.sweep(): CREATE OR REPLACE PROCEDURE clinic.sweep() LANGUAGE sql AS $procedure$select 1$procedure$',
    ],
    [
      'a procedure’s body',
      `create or replace procedure clinic.tidy() language sql as 'delete from clinic.scratch where id > 0'`,
      '~ procedure clinic.tidy(): -AS $procedure$delete from clinic.scratch$procedure$ +AS $procedure$delete from clinic.scratch where id > 0$procedure$',
    ],
    [
      'an aggregate',
      'create aggregate clinic.longest(integer) (sfunc = int4larger, stype = integer)',
      '+ aggregate clinic.longest(integer): arguments (integer), sfunc int4larger, stype integer',
    ],
    [
      'how an aggregate works',
      `drop aggregate clinic.total(integer); create aggregate clinic.total(integer) (sfunc = int4pl, stype = integer, initcond = '5')`,
      '~ aggregate clinic.total(integer): arguments (integer), sfunc int4pl, stype integer → arguments (integer), sfunc int4pl, stype integer, initcond 5',
    ],
    [
      'the name of an aggregate’s argument',
      'drop aggregate clinic.total(integer); create aggregate clinic.total(doses integer) (sfunc = int4pl, stype = integer)',
      '~ aggregate clinic.total(integer): arguments (integer), sfunc int4pl, stype integer → arguments (doses integer), sfunc int4pl, stype integer',
    ],
  ],
  'triggers and rules': [
    [
      'a trigger',
      'create trigger second after insert on clinic.visits execute function clinic.touch()',
      '+ trigger second on clinic.visits: CREATE TRIGGER second AFTER INSERT ON clinic.visits FOR EACH STATEMENT EXECUTE FUNCTION clinic.touch()',
    ],
    [
      'a dropped trigger',
      'drop trigger touch on clinic.patients',
      '- trigger touch on clinic.patients',
    ],
    [
      'when a trigger fires',
      'drop trigger touch on clinic.patients; create trigger touch before update of name on clinic.patients for each row when (new.id > 0) execute function clinic.touch()',
      '~ trigger touch on clinic.patients: CREATE TRIGGER touch BEFORE UPDATE ON clinic.patients FOR EACH ROW EXECUTE FUNCTION clinic.touch() → CREATE TRIGGER touch BEFORE UPDATE OF name ON clinic.patients FOR EACH ROW WHEN ((new.id > 0)) EXECUTE FUNCTION clinic.touch()',
    ],
    [
      'a constraint trigger',
      'create constraint trigger late after update on clinic.beds deferrable initially deferred for each row execute function clinic.touch()',
      '+ trigger late on clinic.beds: CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON clinic.beds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION clinic.touch()',
    ],
    [
      'a disabled trigger',
      'alter table clinic.patients disable trigger touch',
      '+ firing of trigger touch on clinic.patients: disabled',
    ],
    [
      'a trigger on replicas',
      'alter table clinic.patients enable replica trigger touch',
      '+ firing of trigger touch on clinic.patients: on replicas',
    ],
    [
      'a trigger that always fires',
      'alter table clinic.patients enable always trigger touch',
      '+ firing of trigger touch on clinic.patients: always',
    ],
    [
      'a trigger that is disabled on one partition',
      'alter table clinic.readings_2026 disable trigger audit',
      '+ firing of trigger audit on clinic.readings_2026: disabled',
    ],
    [
      'a trigger’s extension',
      'alter trigger touch on clinic.patients depends on extension citext',
      '+ dependency of trigger touch on clinic.patients: extension citext',
    ],
    [
      'an event trigger',
      `create event trigger guard on sql_drop when tag in ('DROP TABLE') execute function clinic.on_ddl()`,
      '+ event trigger guard: on sql_drop when tag in (DROP TABLE) execute clinic.on_ddl()',
    ],
    [
      'a disabled event trigger',
      'alter event trigger watch disable',
      '+ firing of event trigger watch: disabled',
    ],
    [
      'a rule',
      'create rule loud as on update to clinic.scratch do also notify scratch',
      '+ rule loud on clinic.scratch: CREATE RULE loud AS ON UPDATE TO clinic.scratch DO NOTIFY scratch;',
    ],
    [
      'what a rule does',
      'create or replace rule quiet as on delete to clinic.scratch where old.id > 0 do instead nothing',
      '~ rule quiet on clinic.scratch: -ON DELETE TO clinic.scratch DO INSTEAD NOTHING; +ON DELETE TO clinic.scratch +WHERE (old.id > 0) DO INSTEAD NOTHING;',
    ],
    [
      'a disabled rule',
      'alter table clinic.scratch disable rule quiet',
      '+ firing of rule quiet on clinic.scratch: disabled',
    ],
  ],
  'row security': [
    [
      'row security',
      'alter table clinic.patients enable row level security',
      '+ row security of table clinic.patients: on',
    ],
    [
      'forced row security',
      'alter table clinic.patients enable row level security, force row level security',
      '+ row security of table clinic.patients: forced',
    ],
    [
      'row security that is forced and off',
      'alter table clinic.patients force row level security',
      '+ row security of table clinic.patients: forced, but off',
    ],
    [
      'a policy',
      'create policy all_of_it on clinic.visits',
      '+ policy all_of_it on clinic.visits: permissive for all to public',
    ],
    ['a dropped policy', 'drop policy own on clinic.patients', '- policy own on clinic.patients'],
    [
      'a policy’s roles',
      'alter policy own on clinic.patients to catalog_writer, catalog_reader',
      '~ policy own on clinic.patients: permissive for update to catalog_reader using ((id > 0)) → permissive for update to catalog_reader, catalog_writer using ((id > 0))',
    ],
    [
      'a policy for everybody',
      'alter policy own on clinic.patients to public',
      '~ policy own on clinic.patients: permissive for update to catalog_reader using ((id > 0)) → permissive for update to public using ((id > 0))',
    ],
    [
      'whom a policy shows',
      'alter policy own on clinic.patients using (id > 1)',
      '~ policy own on clinic.patients: permissive for update to catalog_reader using ((id > 0)) → permissive for update to catalog_reader using ((id > 1))',
    ],
    [
      'what a policy allows',
      'alter policy own on clinic.patients with check (id < 9)',
      '~ policy own on clinic.patients: permissive for update to catalog_reader using ((id > 0)) → permissive for update to catalog_reader using ((id > 0)) with check ((id < 9))',
    ],
    [
      'a restrictive policy',
      'drop policy own on clinic.patients; create policy own on clinic.patients as restrictive for update to catalog_reader using (id > 0)',
      '~ policy own on clinic.patients: permissive for update to catalog_reader using ((id > 0)) → restrictive for update to catalog_reader using ((id > 0))',
    ],
    [
      'a policy’s command',
      'drop policy own on clinic.patients; create policy own on clinic.patients for select to catalog_reader using (id > 0)',
      '~ policy own on clinic.patients: permissive for update to catalog_reader using ((id > 0)) → permissive for select to catalog_reader using ((id > 0))',
    ],
  ],
  types: [
    [
      'an enum',
      `create type clinic.ward as enum ('north', 'south')`,
      `+ type clinic.ward: enum ('north', 'south')`,
    ],
    [
      'an enum’s label',
      `alter type clinic.severity add value 'fatal'`,
      `~ type clinic.severity: enum ('mild', 'moderate', 'severe') → enum ('mild', 'moderate', 'severe', 'fatal')`,
    ],
    [
      'the place of a label',
      `alter type clinic.severity add value 'fatal' before 'mild'`,
      `~ type clinic.severity: enum ('mild', 'moderate', 'severe') → enum ('fatal', 'mild', 'moderate', 'severe')`,
    ],
    [
      'a renamed label',
      `alter type clinic.severity rename value 'mild' to 'light'`,
      `~ table column clinic.patients.severity: clinic.severity default 'mild'::clinic.severity → clinic.severity default 'light'::clinic.severity`,
      `~ type clinic.severity: enum ('mild', 'moderate', 'severe') → enum ('light', 'moderate', 'severe')`,
    ],
    [
      'a domain',
      'create domain clinic.weight as numeric(5, 2) default 70 check (value > 0)',
      '+ domain constraint weight_check on clinic.weight: CHECK ((VALUE > (0)::numeric))',
      '+ type clinic.weight: numeric(5,2) default 70',
    ],
    [
      'a domain’s collation',
      'create domain clinic.code as text collate "C"',
      '+ type clinic.code: text collate "C"',
    ],
    [
      'a domain’s default',
      `alter domain clinic.npi set default '1111111111'`,
      `~ type clinic.npi: text not null default '0000000000'::text → text not null default '1111111111'::text`,
    ],
    [
      'a domain that may be null',
      'alter domain clinic.npi drop not null',
      `~ type clinic.npi: text not null default '0000000000'::text → text default '0000000000'::text`,
    ],
    [
      'a domain’s check',
      `alter domain clinic.npi drop constraint npi_digits; alter domain clinic.npi add constraint npi_digits check (value ~ '^[0-9]{9}$')`,
      `~ domain constraint npi_digits on clinic.npi: CHECK ((VALUE ~ '^[0-9]{10}$'::text)) → CHECK ((VALUE ~ '^[0-9]{9}$'::text))`,
    ],
    [
      'a domain’s check that is not valid',
      'alter domain clinic.npi add constraint npi_long check (length(value) > 9) not valid',
      '+ domain constraint npi_long on clinic.npi: CHECK ((length(VALUE) > 9)) NOT VALID',
    ],
    [
      'a composite type',
      'create type clinic.vitals as (pulse integer, pressure text)',
      '+ type clinic.vitals: (pulse integer, pressure text)',
    ],
    [
      'an attribute of a composite type',
      'alter type clinic.dose add attribute route text',
      '~ type clinic.dose: (amount numeric(8,2), unit text) → (amount numeric(8,2), unit text, route text)',
    ],
    [
      'an attribute’s type',
      'alter type clinic.address alter attribute city type varchar(40)',
      '~ type clinic.address: (street text, city text) → (street text, city character varying(40))',
    ],
    [
      'a range',
      'create type clinic.weights as range (subtype = float8, subtype_diff = float8mi)',
      '+ type clinic.weights: range of double precision operator class pg_catalog.float8_ops subtype_diff float8mi multirange clinic.weights_multirange',
    ],
    [
      'a range’s collation',
      'create type clinic.names as range (subtype = text, collation = "C")',
      '+ type clinic.names: range of text operator class pg_catalog.text_ops collate "C" multirange clinic.names_multirange',
    ],
    ['a base type', 'create type clinic.shell', '+ type clinic.shell: shell'],
  ],
  'what extends PostgreSQL': [
    ['an extension', 'create extension pgcrypto', '+ extension pgcrypto: in public'],
    [
      'a dropped extension',
      'alter table clinic.patients drop email; drop extension citext',
      '- extension citext',
      '~ columns of table clinic.patients: id, number, name, email, npi, severity, dose, doses, born, seen, weight, initial, note → id, number, name, npi, severity, dose, doses, born, seen, weight, initial, note',
      '- table column clinic.patients.email',
    ],
    [
      'an extension’s schema',
      'alter extension citext set schema clinic',
      '~ extension citext: in public → in clinic',
      '~ table column clinic.patients.email: public.citext → clinic.citext',
    ],
    [
      'a collation',
      `create collation clinic.german (provider = icu, locale = 'de')`,
      '+ collation clinic.german: icu, locale de',
    ],
    [
      'a collation that is not deterministic',
      `create collation clinic.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      '+ collation clinic.blind: icu, locale und-u-ks-level2, not deterministic',
    ],
    [
      'a conversion',
      `drop conversion clinic.latin; create default conversion clinic.latin for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1`,
      '~ conversion clinic.latin: UTF8 to LATIN1 by utf8_to_iso8859_1 → default UTF8 to LATIN1 by utf8_to_iso8859_1',
    ],
    [
      'an operator',
      'create operator clinic.=== (leftarg = integer, rightarg = integer, function = clinic.is_near, commutator = operator(clinic.===), restrict = eqsel)',
      '+ operator clinic.===(integer,integer): function clinic.is_near(integer,integer), commutator clinic.===(integer,integer), restrict eqsel',
    ],
    [
      'what an operator is',
      'alter operator clinic.~~~ (integer, integer) set (restrict = eqsel, join = eqjoinsel)',
      '~ operator clinic.~~~(integer,integer): function clinic.is_near(integer,integer) → function clinic.is_near(integer,integer), restrict eqsel, join eqjoinsel',
    ],
    [
      'an operator family',
      'create operator family clinic.far using hash',
      '+ operator family clinic.far USING hash',
    ],
    [
      'a family’s member',
      'alter operator family clinic.near using btree add function 1 (integer, bigint) btint48cmp(integer, bigint)',
      '~ operator family clinic.near USING btree: +bigint) btint48cmp(integer,bigint)',
    ],
    [
      'an operator class by default',
      'create operator class clinic.dose_ops default for type clinic.dose using btree as function 1 btrecordcmp(record, record)',
      '+ operator class clinic.dose_ops USING btree: default for clinic.dose family clinic.dose_ops',
      '+ operator family clinic.dose_ops USING btree: function 1 (record, record) btrecordcmp(record,record)',
    ],
    [
      'a cast',
      'create cast (integer as clinic.severity) with inout',
      '+ cast (integer AS clinic.severity): with inout',
    ],
    [
      'when a cast applies',
      'drop cast (clinic.dose as text); create cast (clinic.dose as text) with inout as assignment',
      '~ cast (clinic.dose AS pg_catalog.text): with inout → with inout as assignment',
    ],
    [
      'a transform',
      'create transform for integer language sql (from sql with function prsd_lextype(internal), to sql with function int4recv(internal))',
      '+ transform for integer language sql: from sql prsd_lextype to sql int4recv',
    ],
    [
      'a language',
      'create trusted language plpgsql_too handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator',
      '+ language plpgsql_too: trusted handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator',
    ],
    [
      'an access method',
      'create access method heap_again type table handler heap_tableam_handler',
      '+ access method heap_again: table handler heap_tableam_handler',
    ],
    [
      'a text search dictionary',
      'alter text search dictionary clinic.plain (accept = false)',
      `~ text search dictionary clinic.plain: template pg_catalog.simple → template pg_catalog.simple accept = 'false'`,
    ],
    [
      'a text search configuration',
      'alter text search configuration clinic.notes alter mapping for word with clinic.plain',
      '~ text search configuration clinic.notes: -word: simple +word: clinic.plain',
    ],
    [
      'a text search parser',
      'create text search parser clinic.words (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)',
      '+ text search parser clinic.words: start prsd_start gettoken prsd_nexttoken end prsd_end lextypes prsd_lextype',
    ],
    [
      'a text search template',
      'create text search template clinic.simplest (lexize = dsimple_lexize)',
      '+ text search template clinic.simplest: lexize dsimple_lexize',
    ],
    [
      'statistics of columns together',
      'create statistics clinic.visits_stats (ndistinct) on room, status from clinic.visits',
      '+ statistics object clinic.visits_stats: CREATE STATISTICS clinic.visits_stats (ndistinct) ON room, status FROM clinic.visits',
    ],
    [
      'the target of such statistics',
      'alter statistics clinic.patients_number_born set statistics 400',
      '~ statistics object clinic.patients_number_born: CREATE STATISTICS clinic.patients_number_born ON number, born FROM clinic.patients → CREATE STATISTICS clinic.patients_number_born ON number, born FROM clinic.patients target 400',
    ],
    [
      'statistics of an expression',
      'create statistics clinic.patients_initial on (lower(name)) from clinic.patients',
      '+ statistics object clinic.patients_initial: CREATE STATISTICS clinic.patients_initial ON lower(name) FROM clinic.patients',
    ],
  ],
  'publications and what lies elsewhere': [
    [
      'a publication',
      'create publication everything for all tables',
      '+ publication everything: all tables, insert, update, delete, truncate',
    ],
    [
      'a publication’s tables',
      'alter publication changes add table clinic.beds',
      '~ publication changes: table clinic.patients, table clinic.visits, insert, update, delete, truncate → table clinic.beds, table clinic.patients, table clinic.visits, insert, update, delete, truncate',
    ],
    [
      'what a publication tells',
      `alter publication changes set (publish = 'insert', publish_via_partition_root)`,
      '~ publication changes: table clinic.patients, table clinic.visits, insert, update, delete, truncate → table clinic.patients, table clinic.visits, insert, via root',
    ],
    [
      'a subscription',
      `create subscription feed connection 'host=hospital.example password=tiger-4711' publication changes with (connect = false, slot_name = none)`,
      '+ subscription feed: publications changes, synchronous commit off',
    ],
    [
      'a foreign data wrapper',
      `create foreign data wrapper another options (debug 'true')`,
      '+ foreign-data wrapper another: options debug=true',
    ],
    [
      'a foreign server',
      `create server far type 'files' version '2' foreign data wrapper nothing options (host 'x', password 'tiger-4711')`,
      '+ server far: wrapper nothing type files version 2 options host=x, password=…',
    ],
    [
      'a foreign server’s options',
      `alter server elsewhere options (set host 'clinic.example')`,
      '~ server elsewhere: wrapper nothing options host1=north, host=hospital.example, host_alias=west → wrapper nothing options host1=north, host=clinic.example, host_alias=west',
    ],
    [
      'a user mapping',
      `create user mapping for public server elsewhere options (password 'tiger-4711')`,
      '+ user mapping public on server elsewhere: options password',
    ],
    [
      'the names of a user mapping’s options',
      'alter user mapping for catalog_reader server elsewhere options (drop "user")',
      '~ user mapping catalog_reader on server elsewhere: options password, user → options password',
    ],
    [
      'a foreign table',
      'create foreign table clinic.far (id integer) server elsewhere',
      '+ foreign table clinic.far',
      '+ columns of foreign table clinic.far: id',
      '+ grant to catalog_reader of foreign table clinic.far: select',
      '+ server of foreign table clinic.far: elsewhere',
      '+ foreign table column clinic.far.id: integer',
    ],
    [
      'a foreign table’s options',
      `alter foreign table clinic.remote options (set relation 'people')`,
      '~ server of foreign table clinic.remote: elsewhere relation=patients → elsewhere relation=people',
    ],
    [
      'a foreign column’s options',
      'alter foreign table clinic.remote alter id options (drop key)',
      '~ foreign table column clinic.remote.id: integer options key=true → integer',
    ],
  ],
  grants: [
    [
      'a grant',
      'grant select on clinic.beds to catalog_writer',
      '+ grant to catalog_writer of table clinic.beds: select',
    ],
    [
      'a grant with grant option',
      'grant insert on clinic.patients to catalog_reader with grant option',
      '~ grant to catalog_reader of table clinic.patients: select, update → insert*, select, update',
    ],
    [
      'a grant option of one of all',
      'grant select on clinic.visits to catalog_reader with grant option',
      '~ grant to catalog_reader of table clinic.visits: all → all, select*',
    ],
    [
      'a grant option of all',
      'grant all on clinic.visits to catalog_reader with grant option',
      '~ grant to catalog_reader of table clinic.visits: all → all*',
    ],
    [
      'a revoked grant',
      'revoke update on clinic.patients from catalog_reader',
      '~ grant to catalog_reader of table clinic.patients: select, update → select',
    ],
    [
      'a grant to everybody',
      'grant select on clinic.beds to public',
      '+ grant to public of table clinic.beds: select',
    ],
    [
      'a grant on a column',
      'grant select (status), update (status) on clinic.visits to catalog_writer',
      '+ grant to catalog_writer of table column clinic.visits.status: select, update',
    ],
    [
      'a grant on a sequence',
      'grant usage on sequence clinic.chart_number to catalog_writer',
      '+ grant to catalog_writer of sequence clinic.chart_number: usage',
    ],
    [
      'a grant on a view',
      'grant select on clinic.adults to catalog_writer',
      '+ grant to catalog_writer of view clinic.adults: select',
    ],
    [
      'a grant on a schema',
      'grant usage on schema clinic to catalog_writer',
      '+ grant to catalog_writer of schema clinic: usage',
    ],
    [
      'a grant on the schema public',
      'grant create on schema public to catalog_writer',
      '+ grant to catalog_writer of schema public: create',
    ],
    [
      'a grant on a function',
      'grant execute on function clinic.age(date, date) to catalog_writer',
      '+ grant to catalog_writer of function clinic.age(pg_catalog.date,pg_catalog.date): all',
    ],
    [
      'a function that not everybody may run',
      'revoke execute on function clinic.age(date, date) from public',
      '+ grant to public of function clinic.age(pg_catalog.date,pg_catalog.date): nothing',
    ],
    [
      'a grant on a procedure',
      'revoke execute on procedure clinic.tidy() from public',
      '+ grant to public of procedure clinic.tidy(): nothing',
    ],
    [
      'a grant on a type',
      'revoke usage on type clinic.severity from public',
      '+ grant to public of type clinic.severity: nothing',
    ],
    [
      'a grant on a domain',
      'grant usage on domain clinic.npi to catalog_writer with grant option',
      '+ grant to catalog_writer of type clinic.npi: all*',
    ],
    [
      'a grant on a language',
      'revoke usage on language sql from public',
      '+ grant to public of language sql: nothing',
    ],
    [
      'a grant on a foreign server',
      'grant usage on foreign server elsewhere to catalog_writer',
      '+ grant to catalog_writer of server elsewhere: all',
    ],
    [
      'a grant on a foreign data wrapper',
      'grant usage on foreign data wrapper nothing to catalog_writer',
      '+ grant to catalog_writer of foreign-data wrapper nothing: all',
    ],
    [
      'a grant on what an extension made',
      'revoke execute on function citext_eq(citext, citext) from public',
      '+ grant to public of function public.citext_eq(public.citext,public.citext): nothing',
    ],
    [
      'default privileges',
      'alter default privileges in schema clinic grant execute on functions to catalog_writer',
      '+ grant to catalog_writer of default privileges in clinic on functions: all',
    ],
    [
      'default privileges of every schema',
      'alter default privileges revoke execute on functions from public',
      '+ grant to public of default privileges on functions: nothing',
    ],
    [
      'default privileges of nobody',
      'alter default privileges revoke all on tables from current_user',
      '+ grant to owner of default privileges on tables: nothing',
    ],
    [
      'all default privileges',
      'alter default privileges in schema clinic grant all on tables to catalog_reader',
      '~ grant to catalog_reader of default privileges in clinic on tables: select → all',
    ],
    [
      'default privileges of sequences',
      'alter default privileges grant all on sequences to catalog_writer',
      '+ grant to catalog_writer of default privileges on sequences: all',
    ],
    [
      'another role’s default privileges',
      'alter default privileges for role catalog_writer grant select on tables to catalog_reader',
      '+ grant to catalog_reader of default privileges of catalog_writer on tables: select',
    ],
    [
      'revoked default privileges',
      'alter default privileges in schema clinic revoke select on tables from catalog_reader',
      '- grant to catalog_reader of default privileges in clinic on tables',
    ],
  ],
  comments: [
    [
      'a comment on a schema',
      `comment on schema clinic is 'All of the clinic'`,
      '+ comment of schema clinic: All of the clinic',
    ],
    [
      'a comment on the schema public',
      `comment on schema public is 'Ours'`,
      '+ comment of schema public: Ours',
    ],
    [
      'a comment on a table',
      `comment on table clinic.patients is 'Whom we treat, and whom we treated'`,
      '~ comment of table clinic.patients: Whom we treat → Whom we treat, and whom we treated',
    ],
    [
      'a dropped comment',
      'comment on table clinic.patients is null',
      '- comment of table clinic.patients',
    ],
    [
      'a comment on a column',
      `comment on column clinic.patients.born is 'Birthday'`,
      '~ comment of table column clinic.patients.born: Day of birth → Birthday',
    ],
    [
      'a comment on a view',
      `comment on view clinic.adults is 'Eighteen'`,
      '+ comment of view clinic.adults: Eighteen',
    ],
    [
      'a comment on a view’s column',
      `comment on column clinic.adults.name is 'Full'`,
      '+ comment of view column clinic.adults.name: Full',
    ],
    [
      'a comment on a materialized view',
      `comment on materialized view clinic.counts is 'How many'`,
      '+ comment of materialized view clinic.counts: How many',
    ],
    [
      'a comment on an index',
      `comment on index clinic.visits_status is 'For the board'`,
      '+ comment of index clinic.visits_status: For the board',
    ],
    [
      'a comment on a constraint’s index',
      `comment on index clinic.patients_pkey is 'The key'`,
      '+ comment of index clinic.patients_pkey: The key',
    ],
    [
      'a comment on a constraint',
      `comment on constraint visits_patient on clinic.visits is 'Whose'`,
      '+ comment of table constraint visits_patient on clinic.visits: Whose',
    ],
    [
      'a comment on a domain’s constraint',
      `comment on constraint npi_digits on domain clinic.npi is 'Ten'`,
      '+ comment of domain constraint npi_digits on clinic.npi: Ten',
    ],
    [
      'a comment on a sequence',
      `comment on sequence clinic.chart_number is 'Of charts'`,
      '+ comment of sequence clinic.chart_number: Of charts',
    ],
    [
      'a comment on a function',
      `comment on function clinic.age(date, date) is 'In years'`,
      '+ comment of function clinic.age(pg_catalog.date,pg_catalog.date): In years',
    ],
    [
      'a comment on a procedure',
      `comment on procedure clinic.tidy() is 'Nightly'`,
      '+ comment of procedure clinic.tidy(): Nightly',
    ],
    [
      'a comment on an aggregate',
      `comment on aggregate clinic.total(integer) is 'Sum'`,
      '+ comment of aggregate clinic.total(integer): Sum',
    ],
    [
      'a comment on a trigger',
      `comment on trigger touch on clinic.patients is 'When'`,
      '+ comment of trigger touch on clinic.patients: When',
    ],
    [
      'a comment on an event trigger',
      `comment on event trigger watch is 'Watches'`,
      '+ comment of event trigger watch: Watches',
    ],
    [
      'a comment on a rule',
      `comment on rule quiet on clinic.scratch is 'Nothing'`,
      '+ comment of rule quiet on clinic.scratch: Nothing',
    ],
    [
      'a comment on a policy',
      `comment on policy own on clinic.patients is 'Own'`,
      '+ comment of policy own on clinic.patients: Own',
    ],
    [
      'a comment on an enum',
      `comment on type clinic.severity is 'How bad'`,
      '+ comment of type clinic.severity: How bad',
    ],
    [
      'a comment on a domain',
      `comment on domain clinic.npi is 'Of providers'`,
      '+ comment of type clinic.npi: Of providers',
    ],
    [
      'a comment on a composite type',
      `comment on type clinic.dose is 'How much'`,
      '+ comment of type clinic.dose: How much',
    ],
    [
      'a comment on an attribute',
      `comment on column clinic.dose.unit is 'SI'`,
      '+ comment of composite type column clinic.dose.unit: SI',
    ],
    [
      'a comment on an extension',
      `comment on extension citext is 'Ours'`,
      '+ comment of extension citext: Ours',
    ],
    [
      'a comment on a collation',
      `comment on collation clinic.by_codepoint is 'Plain'`,
      '+ comment of collation clinic.by_codepoint: Plain',
    ],
    [
      'a comment on a conversion',
      `comment on conversion clinic.latin is 'Old'`,
      '+ comment of conversion clinic.latin: Old',
    ],
    [
      'a comment on an operator',
      `comment on operator clinic.~~~ (integer, integer) is 'Near'`,
      '+ comment of operator clinic.~~~(integer,integer): Near',
    ],
    [
      'a comment on an operator class',
      `comment on operator class clinic.near_ops using btree is 'Near'`,
      '+ comment of operator class clinic.near_ops USING btree: Near',
    ],
    [
      'a comment on an operator family',
      `comment on operator family clinic.near using btree is 'Near'`,
      '+ comment of operator family clinic.near USING btree: Near',
    ],
    [
      'a comment on a cast',
      `comment on cast (clinic.dose as text) is 'In words'`,
      '+ comment of cast (clinic.dose AS pg_catalog.text): In words',
    ],
    [
      'a comment on a text search configuration',
      `comment on text search configuration clinic.notes is 'Of notes'`,
      '+ comment of text search configuration clinic.notes: Of notes',
    ],
    [
      'a comment on a text search dictionary',
      `comment on text search dictionary clinic.plain is 'Of words'`,
      '+ comment of text search dictionary clinic.plain: Of words',
    ],
    [
      'a comment on statistics',
      `comment on statistics clinic.patients_number_born is 'Together'`,
      '+ comment of statistics object clinic.patients_number_born: Together',
    ],
    [
      'a comment on a publication',
      `comment on publication changes is 'For the warehouse'`,
      '+ comment of publication changes: For the warehouse',
    ],
    [
      'a comment on a foreign table',
      `comment on foreign table clinic.remote is 'Far'`,
      '+ comment of foreign table clinic.remote: Far',
    ],
    [
      'a comment on a foreign server',
      `comment on server elsewhere is 'There'`,
      '+ comment of server elsewhere: There',
    ],
    [
      'a comment on a foreign data wrapper',
      `comment on foreign data wrapper nothing is 'None'`,
      '+ comment of foreign-data wrapper nothing: None',
    ],
    [
      'a comment on an access method',
      `comment on access method heap_too is 'Again'`,
      '+ comment of access method heap_too: Again',
    ],
  ],
}

/** The same with what not every version has: by the first that has it. */
export const LATER_CHANGES: Readonly<Record<number, readonly SchemaChange[]>> = {
  15: [
    [
      'columns that are published',
      'alter publication changes set table clinic.patients (id, name), clinic.visits',
      '~ publication changes: table clinic.patients, table clinic.visits, insert, update, delete, truncate → table clinic.patients (id, name), table clinic.visits, insert, update, delete, truncate',
    ],
    [
      'rows that are published',
      'alter publication changes set table clinic.patients where (id > 0), clinic.visits',
      '~ publication changes: table clinic.patients, table clinic.visits, insert, update, delete, truncate → table clinic.patients where (id > 0), table clinic.visits, insert, update, delete, truncate',
    ],
    [
      'a schema that is published',
      'alter publication changes add tables in schema clinic',
      '~ publication changes: table clinic.patients, table clinic.visits, insert, update, delete, truncate → table clinic.patients, table clinic.visits, schema clinic, insert, update, delete, truncate',
    ],
    [
      'nulls that are not distinct',
      'alter table clinic.patients add constraint patients_email unique nulls not distinct (email)',
      '+ table constraint patients_email on clinic.patients: UNIQUE NULLS NOT DISTINCT (email)',
    ],
    [
      'an index in which nulls are not distinct',
      'create unique index beds_floor on clinic.beds (floor) nulls not distinct',
      '+ index clinic.beds_floor: CREATE UNIQUE INDEX beds_floor ON clinic.beds USING btree (floor) NULLS NOT DISTINCT',
    ],
    [
      'columns that a foreign key sets to null',
      'alter table clinic.beds add constraint beds_visit foreign key (visit_id, room) references clinic.visits (id, room) on delete set null (room)',
      '+ table constraint beds_visit on clinic.beds: FOREIGN KEY (visit_id, room) REFERENCES clinic.visits(id, room) ON DELETE SET NULL (room)',
    ],
    [
      'a view that runs as its reader',
      'alter view clinic.adults set (security_invoker)',
      '+ options of view clinic.adults: security_invoker=true',
    ],
    [
      'the access method of a table that is there',
      'alter table clinic.beds set access method heap_too',
      '+ access method of table clinic.beds: heap_too',
    ],
  ],
  16: [
    [
      'a column’s storage from the start',
      'create table clinic.wards (name text storage plain)',
      '+ table clinic.wards',
      '+ columns of table clinic.wards: name',
      '+ grant to catalog_reader of table clinic.wards: select',
      '+ table column clinic.wards.name: text storage plain',
    ],
  ],
  17: [
    [
      'a builtin collation',
      `create collation clinic.plain_c (provider = builtin, locale = 'C.UTF-8')`,
      '+ collation clinic.plain_c: builtin, locale C.UTF-8',
    ],
    [
      'what is left of all',
      'revoke insert, delete on clinic.visits from catalog_reader',
      '~ grant to catalog_reader of table clinic.visits: all → maintain, references, select, trigger, truncate, update',
    ],
    [
      'what the owner may not',
      'revoke truncate on clinic.beds from current_user',
      '+ grant to owner of table clinic.beds: delete, insert, maintain, references, select, trigger, update',
    ],
    [
      'a grant to maintain',
      'grant maintain on clinic.beds to catalog_writer',
      '+ grant to catalog_writer of table clinic.beds: maintain',
    ],
  ],
  18: [
    [
      'a constraint that is not enforced',
      'alter table clinic.beds add constraint beds_floor check (floor >= 0) not enforced',
      '+ table constraint beds_floor on clinic.beds: CHECK ((floor >= 0)) NOT ENFORCED',
    ],
    [
      'a foreign key that is not enforced',
      'alter table clinic.beds add constraint beds_visit foreign key (visit_id) references clinic.visits not enforced',
      '+ table constraint beds_visit on clinic.beds: FOREIGN KEY (visit_id) REFERENCES clinic.visits(id) NOT ENFORCED',
    ],
    [
      'a virtual column',
      'alter table clinic.beds add twice integer generated always as (floor * 2) virtual',
      '~ columns of table clinic.beds: visit_id, room, floor → visit_id, room, floor, twice',
      '+ table column clinic.beds.twice: integer generated always as ((floor * 2)) virtual',
    ],
    [
      'not null that is not valid',
      'alter table clinic.beds add constraint floor_there not null floor not valid',
      '~ table column clinic.beds.floor: integer → integer not null not valid',
    ],
    [
      'not null that is not inherited',
      'alter table clinic.staff add constraint id_there not null id no inherit',
      '~ table column clinic.staff.id: integer → integer not null no inherit',
    ],
    [
      'a temporal key',
      'create table clinic.stays (bed int4range, during tsrange, constraint stays_apart unique (bed, during without overlaps))',
      '+ table clinic.stays',
      '+ columns of table clinic.stays: bed, during',
      '+ grant to catalog_reader of table clinic.stays: select',
      '+ table column clinic.stays.bed: int4range',
      '+ table column clinic.stays.during: tsrange',
      '+ table constraint stays_apart on clinic.stays: UNIQUE (bed, during WITHOUT OVERLAPS)',
    ],
    [
      'generated columns that are published',
      'alter publication changes set (publish_generated_columns = stored)',
      '~ publication changes: table clinic.patients, table clinic.visits, insert, update, delete, truncate → table clinic.patients, table clinic.visits, insert, update, delete, truncate, stored generated columns',
    ],
  ],
}

/** What changes no schema. */
export const NO_CHANGES: readonly SchemaChange[] = [
  ['rows', `insert into clinic.staff values (1, 'Ada')`],
  ['statistics', 'analyze clinic.staff'],
  ['the next number of a sequence', `select nextval('clinic.chart_number')`],
  ['an index that is built again', 'reindex index clinic.visits_status'],
  ['a materialized view that is refreshed', 'refresh materialized view clinic.counts'],
  [
    'an index that is made again',
    'drop index clinic.visits_status; create index visits_status on clinic.visits (status)',
  ],
  ['a last column that is made again', 'alter table clinic.patients drop note, add note text'],
  [
    'grants in another order',
    'revoke all on clinic.patients from catalog_reader; grant update on clinic.patients to catalog_reader; grant select on clinic.patients to catalog_reader',
  ],
  ['the owner of a table', 'alter table clinic.patients owner to catalog_writer'],
  [
    'the owner of a table on which something is granted',
    'alter table clinic.visits owner to catalog_writer',
  ],
  ['the owner of a schema', 'alter schema clinic owner to catalog_writer'],
  ['the owner of a function', 'alter function clinic.touch() owner to catalog_writer'],
  ['the owner of a view', 'alter view clinic.adults owner to catalog_writer'],
  ['the owner of a type', 'alter type clinic.severity owner to catalog_writer'],
  [
    'a temporary table',
    `create temp table scratch (id integer); comment on table scratch is 'Soon gone'; comment on column scratch.id is 'Soon gone'`,
  ],
  ['a large object', `select lo_create(4711); comment on large object 4711 is 'Data'`],
  [
    'what the session prefers',
    `set local timezone = 'Asia/Kolkata'; set local datestyle = 'german'; set local intervalstyle = 'iso_8601'; set local quote_all_identifiers = on; set local search_path = clinic`,
  ],
]

/** What changes no schema either, though pg_dump tells of it. */
export const UNTOLD_CHANGES: readonly SchemaChange[] = [
  [
    'a password',
    `alter user mapping for catalog_reader server elsewhere options (set password 'tiger-4712')`,
  ],
  [
    'a table of the runner’s own',
    `create table clinic.migration_history (name text); comment on table clinic.migration_history is 'Ours'; grant select on clinic.migration_history to catalog_writer`,
  ],
]
