import type { TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

/** Longer than any test waits: whoever is paused and not let go shows. */
const PAUSE_SECONDS = 60

/** What a planned migration does after its statements, each of which is a place to pause at too. */
const RECORDING = ['insert into migration_history', 'commit'] as const

/** Every place of a planned migration, `count` statements long, at which it can be paused: from 1 on. */
export function placesToPause(count: number): readonly string[] {
  return [...Array.from({ length: count }, (_, i) => `statement ${i + 1}`), ...RECORDING]
}

/**
 * Lets the server itself stop a runner inside its nth statement from now on: triggers on each DDL, on the
 * row of `fixture.trace`, on the history's row, and a deferred one in COMMIT. The history must exist.
 */
export async function installPause(database: TestDatabase): Promise<void> {
  await database.query(`
    create sequence fixture.places;
    create table fixture.pause (place bigint not null);
    create function fixture.pass() returns void language plpgsql as $$ begin
      if current_setting('application_name') not like 'federation-migrate%' then return; end if;
      -- The sequence is left alone, as what it writes would keep an index from being dropped concurrently.
      if not exists (select from fixture.pause) then return; end if;
      if nextval('fixture.places') is distinct from (select place from fixture.pause) then return; end if;
      for i in 1..${PAUSE_SECONDS * 20} loop
        exit when not exists (select from fixture.pause);
        perform pg_sleep(0.05);
      end loop;
    end $$;
    create function fixture.at_row() returns trigger language plpgsql as $$ begin
      perform fixture.pass();
      return new;
    end $$;
    create function fixture.at_ddl() returns event_trigger language plpgsql as $$ begin
      perform fixture.pass();
    end $$;
    create trigger at_trace before insert on fixture.trace for each row execute function fixture.at_row();
    create trigger at_history before insert on public.migration_history
      for each row execute function fixture.at_row();
    create constraint trigger at_commit after insert on fixture.trace deferrable initially deferred
      for each row execute function fixture.at_row();
    create event trigger at_ddl on ddl_command_start execute function fixture.at_ddl()`)
}

/** Lets the next runner be paused at its nth place. */
export async function pauseAt(database: TestDatabase, place: number): Promise<void> {
  await database.query(`
    delete from fixture.pause;
    insert into fixture.pause values (${place});
    alter sequence fixture.places restart`)
}

/** Lets whoever is paused go on, and pauses nobody any more. */
export async function endPause(database: TestDatabase): Promise<void> {
  await database.query('delete from fixture.pause')
}

/** Waits until a runner sleeps, in a pause or in a statement of its own, and gives its backend's pid. */
export async function untilAsleep(database: TestDatabase): Promise<number> {
  return until('a runner asleep on the server', async () => {
    const [row] = await database.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database()
          and application_name like 'federation-migrate%' and wait_event = 'PgSleep'`,
    )
    return row?.pid
  })
}
