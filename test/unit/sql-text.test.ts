import { expect } from 'chai'
import {
  isAtomic,
  isConcurrent,
  isRepeatable,
  markPosition,
  setsLockTimeout,
  setsTransactionMode,
  splitStatements,
  transactionBreach,
} from '../../src/sql-text.ts'

describe('splitStatements', () => {
  it('cuts at semicolons, trims, and leaves out what is empty', () => {
    expect(splitStatements(' select 1 ;;\n\tselect 2; \n')).to.deep.equal(['select 1', 'select 2'])
  })

  it('needs no semicolon at the end', () => {
    expect(splitStatements('select 1; select 2')).to.deep.equal(['select 1', 'select 2'])
  })

  for (const text of ['', ' \n', ';', '-- nothing', '/* nothing; */ ;', '-- a\n;-- b']) {
    it(`finds nothing in ${JSON.stringify(text)}`, () => {
      expect(splitStatements(text)).to.deep.equal([])
    })
  }

  it('keeps comments with the statement that follows', () => {
    expect(splitStatements('-- why\nselect 1; /* and */ select 2')).to.deep.equal([
      '-- why\nselect 1',
      '/* and */ select 2',
    ])
  })

  for (const [where, statement] of [
    ['a text', "select 'a;b'"],
    ['a text with doubled quotes', "select 'it''s; so'"],
    ['a text over several lines', "select 'a;\n;b'"],
    ['a text that ends in a backslash', "select '\\', ';'"],
    ['an escape text', "select E'it\\'s; so'"],
    ['an escape text with an escaped line end', "select e'a\\\n\\';b'"],
    ['an escape text with doubled quotes', "select e'a''b\\';c'"],
    ['a Unicode text', "select U&'\\0041;'"],
    ['a quoted name', 'select 1 as "a;b"'],
    ['a quoted name with doubled quotes', 'select 1 as "a"";b"'],
    ['a quoted name with a text’s quote', 'select 1 as "it\'s;"'],
    ['a line comment', "select 1 -- don't; stop\n, 2"],
    ['a block comment', "select /* don't; stop */ 1"],
    ['a block comment in a block comment', 'select /* a /* b; */ c; */ 1'],
    ['a dollar quote', 'do $$ begin; end; $$'],
    ['a dollar quote with a tag', "do $body$ select '$$;'; $other$ ; $body$"],
    ['a dollar quote with a tag beyond ASCII', 'do $été$ ; $été$'],
    ['a dollar quote in a dollar quote', 'do $a$ execute $b$ select 1; $b$; $a$'],
    ['a comment’s start in a text', "select '/*', ';', '*/'"],
    ['parentheses', 'create rule r as on insert to t do also (delete from a; delete from b)'],
  ] as const) {
    it(`takes no semicolon in ${where} for an end`, () => {
      expect(splitStatements(`${statement};\nselect 2`)).to.deep.equal([statement, 'select 2'])
    })
  }

  it('takes an unfinished comment for the rest, and an unfinished quote for the server to refuse', () => {
    expect(splitStatements('select 1 /* a /* b; */ c; commit')).to.have.length(1)
    expect(splitStatements("select 'a; commit")).to.have.length(2)
  })

  it('takes a semicolon after each of them for an end', () => {
    const sql = `select '''' ; select E'\\\\' ; select "a""" ; do $$ $$ ; select /* /* */ */ 1 ; select (1)`
    expect(splitStatements(sql)).to.have.length(6)
  })

  it('takes a dollar within a name, and a parameter, for no quote', () => {
    expect(splitStatements('select a$b$c; select $1; select d$b$e')).to.have.length(3)
  })

  it('goes on after a closing parenthesis too many', () => {
    expect(splitStatements('select 1); select 2')).to.have.length(2)
  })

  describe('with BEGIN ATOMIC', () => {
    const FUNCTION = `create function f(x int) returns int language sql
begin atomic
  insert into log values (x);
  select case when x > 0 then case x when 1 then 2 end else 3 end;
end`

    it('keeps the body with its CREATE', () => {
      expect(splitStatements(`${FUNCTION};`)).to.deep.equal([FUNCTION])
    })

    it('finds the statements before and after', () => {
      expect(splitStatements(`select 1; ${FUNCTION}; commit`)).to.deep.equal([
        'select 1',
        FUNCTION,
        'commit',
      ])
    })

    it('knows it by its words, in capitals and with a comment between them', () => {
      const sql = FUNCTION.toUpperCase().replace('BEGIN ATOMIC', 'BEGIN /* ; */ ATOMIC')
      expect(splitStatements(`${sql}; select 1`)).to.deep.equal([sql, 'select 1'])
    })

    it('is not fooled by a text or a comment that mentions it', () => {
      expect(splitStatements("select 'begin atomic'; commit")).to.have.length(2)
      expect(splitStatements('-- begin atomic\nselect 1; commit')).to.have.length(2)
    })
  })

  it('takes a megabyte of inserted rows in its stride', () => {
    const row = "(1, 'Ada''s; note', E'\\\\n', $$x;y$$), "
    const sql = `insert into notes values ${row.repeat(25_000)} (2, '', '', ''); select 1`
    expect(splitStatements(sql)).to.have.length(2)
  }).timeout(5000)
})

describe('transactionBreach', () => {
  for (const [statement, named] of [
    ['begin', 'BEGIN'],
    ['begin isolation level serializable', 'BEGIN'],
    ['commit', 'COMMIT'],
    ['commit work', 'COMMIT'],
    ['commit and chain', 'COMMIT'],
    ['end', 'END'],
    ['abort', 'ABORT'],
    ['discard all', 'DISCARD'],
    ['start transaction', 'START TRANSACTION'],
    ["prepare transaction 'x'", 'PREPARE TRANSACTION'],
    ['rollback', 'ROLLBACK'],
    ['rollback work', 'ROLLBACK'],
    ['rollback transaction', 'ROLLBACK'],
    ['rollback and chain', 'ROLLBACK'],
  ] as const) {
    const message = `${named} would break the transaction that the migration runs in`
    for (const text of [
      statement,
      statement.toUpperCase(),
      `\n  ${statement};`,
      `-- done\n${statement}`,
      `/* a /* b */ c */ ${statement}`,
      `${statement.split(' ')[0]}/* x */ ${statement.split(' ').slice(1).join(' ')}`,
      `${statement.replace(' ', '\n')}--`,
    ]) {
      it(`refuses ${JSON.stringify(text)}`, () => {
        expect(transactionBreach(text)).to.equal(message)
      })
    }
  }

  for (const [statement, named] of [
    ['set search_path = app', 'SEARCH_PATH'],
    ['set search_path=app', 'SEARCH_PATH'],
    ['SET ROLE ada', 'ROLE'],
    ['set session authorization ada', 'SESSION'],
    ['Set Session Characteristics as transaction read only', 'SESSION'],
    ['-- for later\nset/**/statement_timeout to 0', 'STATEMENT_TIMEOUT'],
  ] as const) {
    it(`refuses ${JSON.stringify(statement)}, which would outlast the migration`, () => {
      expect(transactionBreach(statement)).to.equal(`SET ${named} would outlast the migration`)
    })
  }

  for (const statement of [
    "select set_config('search_path', 'app', false)",
    "SELECT pg_catalog.Set_Config('search_path', '', false)",
    "select set_config('role', lower('ADA'), $1)",
    "select set_config('a.b', 'x', true), set_config('a.c', 'y', false)",
    "with s as (select set_config('a.b', coalesce(null, 'x'), 1 = 1)) select * from s",
  ]) {
    it(`refuses ${JSON.stringify(statement)}, which would outlast the migration`, () => {
      expect(transactionBreach(statement)).to.equal(
        'set_config() would outlast the migration: its last argument must be true',
      )
    })
  }

  for (const statement of [
    "select set_config('search_path', 'app', true)",
    "select set_config('a.b', concat('x', ', y'), TRUE), 1",
    "select 'set_config(a, b, false)'",
    'select set_config from settings',
    "create function f() returns text begin atomic select set_config('a.b', 'x', false); end",
    'savepoint a',
    'release savepoint a',
    'rollback to a',
    'ROLLBACK TO SAVEPOINT a',
    'rollback work to a',
    'rollback transaction to savepoint a',
    'rollback/* only */to a',
    'set local lock_timeout = 0',
    'SET LOCAL lock_timeout = 0',
    'set/* only */local role ada',
    '/* set */ set -- local\n local role ada',
    'set constraints all deferred',
    'set transaction isolation level serializable',
    'prepare p as select 1',
    "select 'commit'",
    '(select 1)',
    'update commit set "set" = 1',
    '-- commit\nselect 1',
    '/* commit; /* begin */ */ select 1',
    'do $$ begin null; end $$',
    'beginning',
    'commit_all',
    '"commit"',
    '',
  ]) {
    it(`allows ${JSON.stringify(statement)}`, () => {
      expect(transactionBreach(statement)).to.be.undefined
    })
  }
})

describe('isConcurrent', () => {
  for (const [sql, expected] of [
    ['create index concurrently i on t (c)', true],
    ['REINDEX (CONCURRENTLY) INDEX i', true],
    ['drop index /* not */ Concurrently i', true],
    ['create index i on t (c) -- concurrently', false],
    ["comment on table t is 'concurrently'", false],
    ['create table "concurrently" ()', false],
    ['create table t_concurrently ()', false],
  ] as const) {
    it(`is ${expected} for ${sql}`, () => {
      expect(isConcurrent(sql)).to.equal(expected)
    })
  }
})

describe('setsLockTimeout', () => {
  for (const [sql, expected] of [
    ["set local lock_timeout = '10s'", true],
    ["SET lock_timeout TO '1s'", true],
    ["select 1; select set_config('lock_timeout', '1s', false)", true],
    ['lock table t in share mode NOWAIT', false],
    ["alter role app set lock_timeout = '1s'", false],
    ['show lock_timeout', false],
    ['select 1', false],
  ] as const) {
    it(`is ${expected} for ${sql}`, () => {
      expect(setsLockTimeout(sql)).to.equal(expected)
    })
  }
})

describe('isRepeatable', () => {
  for (const [sql, expected] of [
    ['alter table t add c integer;', true],
    ['-- why\nvacuum t', true],
    ['alter table t add c integer; commit', false],
    ['call backfill()', false],
    ['do $$ begin commit; end $$', false],
    ['create index concurrently i on t (c)', false],
    ['', false],
  ] as const) {
    it(`is ${expected} for ${JSON.stringify(sql)}`, () => {
      expect(isRepeatable(sql)).to.equal(expected)
    })
  }
})

describe('setsTransactionMode', () => {
  for (const [sql, expected] of [
    ['set transaction isolation level serializable', true],
    ['/* first */ SET TRANSACTION READ ONLY', true],
    ["set local lock_timeout = '1s'", false],
    ['select 1', false],
  ] as const) {
    it(`is ${expected} for ${sql}`, () => {
      expect(setsTransactionMode(sql)).to.equal(expected)
    })
  }
})

describe('markPosition', () => {
  /** The mark for where `needle` begins, as PostgreSQL counts: in characters, from 1. */
  const mark = (sql: string, needle: string): readonly string[] =>
    markPosition(sql, [...sql.slice(0, sql.indexOf(needle))].length + 1)

  it('marks the first character', () => {
    expect(markPosition('selec 1', 1)).to.deep.equal(['selec 1', '^'])
  })

  it('marks the end of the input', () => {
    expect(markPosition('select', 7)).to.deep.equal(['select', '      ^'])
  })

  it('shows only the line at fault', () => {
    expect(mark('create table a (\n  id ints,\n  name text\n)', 'ints')).to.deep.equal([
      '  id ints,',
      '     ^',
    ])
  })

  it('shows a line that ends in \\r\\n without them', () => {
    expect(mark('select\r\n  oops\r\nfrom a', 'oops')).to.deep.equal(['  oops', '  ^'])
  })

  it('repeats tabs, so that the mark stands below whatever their width', () => {
    expect(mark('select 1,\n\t\tx,\toops', 'oops')).to.deep.equal(['\t\tx,\toops', '\t\t  \t^'])
  })

  it('counts characters where JavaScript counts halves of them', () => {
    expect(mark("select '😀é', oops", 'oops')[1]).to.equal(
      ' '.repeat("select '😀é', ".length) + '^',
    )
    expect(mark("select '😀';\noops", 'oops')).to.deep.equal(['oops', '^'])
  })

  it('cuts a long line on both sides, with the mark still below', () => {
    const [line = '', below = ''] = mark(
      `select ${'a, '.repeat(100)}oops${', b'.repeat(100)}`,
      'oops',
    )
    expect(line).to.match(/^…a, .*oops.*…$/)
    expect(line).to.have.length(102)
    expect(below.length - 1).to.equal(line.indexOf('oops'))
  })

  it('does not cut what fits', () => {
    const sql = 'x'.repeat(100)
    expect(markPosition(sql, 60)[0]).to.equal(sql)
    expect(markPosition(`${sql}y`, 60)[0]).to.equal(`${sql}…`)
  })
})

describe('isAtomic', () => {
  for (const sql of [
    'create table a (id integer)',
    '-- why\nALTER TABLE a add b text;',
    'with x as (select 1) insert into a select * from x',
    'create index concurrently a_id on a (id)',
    "select 'database; do'",
  ]) {
    it(`is true of ${JSON.stringify(sql)}`, () => {
      expect(isAtomic(sql)).to.equal(true)
    })
  }

  for (const sql of [
    '',
    'select 1; select 2',
    'call fill()',
    'do $$ begin commit; end $$',
    'vacuum a',
    'reindex table concurrently a',
    'begin',
    'create database a',
    'alter system set work_mem = 1',
    'alter table a detach partition a_1 concurrently',
  ]) {
    it(`is false of ${JSON.stringify(sql)}`, () => {
      expect(isAtomic(sql)).to.equal(false)
    })
  }
})
