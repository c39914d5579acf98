import { expect } from 'chai'
import { type Blocker, describeBlocker } from '../../src/blocker.ts'

const READER: Blocker = {
  pid: 4711,
  user: 'ada',
  applicationName: 'psql',
  kind: 'client backend',
  state: 'idle in transaction',
  openMs: 182_000,
  lockType: 'relation',
  relation: 'public.visits',
  wanted: 'AccessExclusiveLock',
  held: 'AccessShareLock',
}

/** What a role sees of a session whose user it is no member of. */
const HIDDEN = { kind: null, state: null, openMs: null } as const

describe('describeBlocker', () => {
  for (const [what, facts, sentence] of [
    [
      'a lock on a table',
      {},
      'pid 4711 (ada, psql, idle in transaction, open for 3 min 2 s) holds ACCESS SHARE on public.visits, where ACCESS EXCLUSIVE is wanted',
    ],
    [
      'a session that stands before it in the queue',
      { held: null, state: 'active' },
      'pid 4711 (ada, psql, active, open for 3 min 2 s) stands in the queue for public.visits before it',
    ],
    [
      'a session that this role may see little of',
      { ...HIDDEN, applicationName: '' },
      'pid 4711 (ada) holds ACCESS SHARE on public.visits, where ACCESS EXCLUSIVE is wanted',
    ],
    [
      'a session that is gone already',
      { ...HIDDEN, user: null, applicationName: null, lockType: null },
      'pid 4711 is in the way',
    ],
    [
      'a background worker',
      { user: null, applicationName: '', kind: 'autovacuum worker', state: 'active', openMs: 900 },
      'pid 4711 (autovacuum worker, active, open for 900 ms) holds ACCESS SHARE on public.visits, where ACCESS EXCLUSIVE is wanted',
    ],
    [
      'a prepared transaction',
      { ...HIDDEN, pid: 0, user: null, applicationName: null, held: 'RowExclusiveLock' },
      'a prepared transaction (see pg_prepared_xacts) holds ROW EXCLUSIVE on public.visits, where ACCESS EXCLUSIVE is wanted',
    ],
    [
      'an old snapshot',
      { lockType: 'virtualxid', relation: null },
      'pid 4711 (ada, psql, idle in transaction, open for 3 min 2 s) has a transaction open that must end first',
    ],
    [
      'a row',
      { lockType: 'transactionid' },
      'pid 4711 (ada, psql, idle in transaction, open for 3 min 2 s) has changed rows of public.visits that are wanted, and has not committed',
    ],
    [
      'a row of nobody knows which table',
      { lockType: 'transactionid', relation: null },
      'pid 4711 (ada, psql, idle in transaction, open for 3 min 2 s) has written what is wanted, and has not committed',
    ],
    [
      'anything else',
      { lockType: 'advisory', relation: null },
      'pid 4711 (ada, psql, idle in transaction, open for 3 min 2 s) holds a lock of type advisory',
    ],
  ] as const) {
    it(`tells of ${what}`, () => {
      expect(describeBlocker({ ...READER, ...facts })).to.equal(sentence)
    })
  }
})
