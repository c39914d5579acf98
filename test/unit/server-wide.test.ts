import { expect } from 'chai'
import { serverWideChange } from '../../src/server-wide.ts'

describe('serverWideChange', () => {
  for (const [sql, change] of [
    ['create role app', 'roles'],
    ['CREATE USER app', 'roles'],
    ['alter role app set search_path = app', 'roles'],
    ['drop role if exists app', 'roles'],
    ['drop owned by app', 'roles'],
    ['grant admin to app', 'roles'],
    ['revoke admin from app', 'roles'],
    [`comment on role app is 'x'`, 'roles'],
    ['select 1; create /* x */ group app', 'roles'],
    [`do $$ begin if true then create role app; end if; end $$`, 'roles'],
    [`do $$ begin execute format('drop  role %I', 'app'); end $$`, 'roles'],
    ['create database other', 'databases'],
    ['alter database app set timezone = utc', 'databases'],
    ['grant connect on database app to public', 'databases'],
    ['create tablespace fast location $1', 'tablespaces'],
    ['alter system set jit = off', 'settings'],
  ] as const) {
    it(`finds ${change} in ${sql}`, () => {
      expect(serverWideChange(sql)).to.equal(change)
    })
  }

  for (const sql of [
    'create table role (id integer)',
    'grant select on patients to app',
    'grant usage on schema app to app',
    'create user mapping for app server elsewhere',
    `comment on table users is 'Who may create user accounts'`,
    `comment on column users.role is 'drop role'`,
    `insert into roles values ('create role app')`,
    'alter table patients owner to app',
    'alter default privileges grant select on tables to app',
    `do $$ begin perform 1 from pg_roles where rolname = 'app'; end $$`,
    'set local role app',
  ]) {
    it(`finds nothing in ${sql}`, () => {
      expect(serverWideChange(sql)).to.equal(undefined)
    })
  }
})
