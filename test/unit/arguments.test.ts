import { expect } from 'chai'
import { closest, type CommandShape, parseArguments } from '../../src/arguments.ts'
import { thrownBy, wholeText } from '../support/errors.ts'

const SHAPE: CommandShape = {
  name: 'up',
  positionals: [],
  flags: [
    { name: 'to', value: 'NAME', help: '' },
    { name: 'database-url', value: 'URL', help: '' },
    { name: 'migrations-dir', value: 'DIR', help: '' },
    { name: 'json', help: '' },
    { name: 'no-codegen', help: '' },
  ],
}
const CREATE: CommandShape = { ...SHAPE, name: 'create', positionals: ['NAME'] }

describe('parseArguments', () => {
  it('has nothing where nothing is given', () => {
    const { positionals, values, switches } = parseArguments([], SHAPE)
    expect([positionals, [...values], [...switches]]).to.deep.equal([[], [], []])
  })

  it('takes a value after a blank or after =', () => {
    expect(parseArguments(['--to', '003'], SHAPE).values.get('to')).to.equal('003')
    expect(parseArguments(['--to=003'], SHAPE).values.get('to')).to.equal('003')
  })

  it('takes a value with = and blanks in it whole', () => {
    const url = 'postgres://h/d?options=-c a=b'
    expect(parseArguments([`--database-url=${url}`], SHAPE).values.get('database-url')).to.equal(
      url,
    )
    expect(parseArguments(['--database-url', url], SHAPE).values.get('database-url')).to.equal(url)
  })

  it('takes switches, also those that begin with no-', () => {
    const { switches } = parseArguments(['--json', '--no-codegen'], SHAPE)
    expect([...switches]).to.deep.equal(['json', 'no-codegen'])
  })

  it('takes the last value of a flag that is repeated', () => {
    expect(parseArguments(['--to', '1', '--to=2'], SHAPE).values.get('to')).to.equal('2')
    expect([...parseArguments(['--json', '--json'], SHAPE).switches]).to.deep.equal(['json'])
  })

  it('takes positional arguments before, between and after flags', () => {
    expect(parseArguments(['a', '--json'], CREATE).positionals).to.deep.equal(['a'])
    expect(parseArguments(['--to', 'x', 'a', '--json'], CREATE).positionals).to.deep.equal(['a'])
  })

  it('takes everything after -- as positional', () => {
    expect(parseArguments(['--', '--json'], CREATE).positionals).to.deep.equal(['--json'])
  })

  it('takes a negative number for a value', () => {
    expect(parseArguments(['--to', '-1'], SHAPE).values.get('to')).to.equal('-1')
  })

  for (const [args, message, hint] of [
    [['--to'], '--to needs a value', 'Write --to NAME.'],
    [['--to='], '--to needs a value', 'Write --to NAME.'],
    [['--to', ''], '--to needs a value', 'Write --to NAME.'],
    [['--to', '--json'], '--to needs a value', 'Write --to NAME.'],
    [['--to', '-h'], '--to needs a value', 'Write --to NAME.'],
    [['--json=true'], '--json takes no value', 'Write just --json.'],
    [['--json='], '--json takes no value', 'Write just --json.'],
    [
      ['--migration-dir', '--json'],
      'up has no flag --migration-dir',
      'Did you mean --migrations-dir?',
    ],
    [['--josn'], 'up has no flag --josn', 'Did you mean --json?'],
    [['--JSON'], 'up has no flag --JSON', 'See: federation-migrate up --help'],
    [['--codegen'], 'up has no flag --codegen', 'Did you mean --no-codegen?'],
    [['--constructor'], 'up has no flag --constructor', 'See: federation-migrate up --help'],
    [['--__proto__'], 'up has no flag --__proto__', 'See: federation-migrate up --help'],
    [['-j'], 'up has no flag -j', 'See: federation-migrate up --help'],
    [['003'], 'up does not take "003"', 'See: federation-migrate up --help'],
    [['-'], 'up does not take "-"', 'See: federation-migrate up --help'],
  ] as const) {
    it(`refuses ${args.join(' ')}: ${message}`, () => {
      expect(thrownBy(() => parseArguments(args, SHAPE))).to.include({
        code: 'usage',
        message,
        hint,
      })
    })
  }

  it('takes a value that looks like a flag after =', () => {
    expect(parseArguments(['--to=--json'], SHAPE).values.get('to')).to.equal('--json')
  })

  it('names what is missing', () => {
    expect(thrownBy(() => parseArguments(['--json'], CREATE))).to.include({
      message: 'create needs NAME',
      hint: 'See: federation-migrate create --help',
    })
  })

  it('tells everything that is wrong at once', () => {
    const error = thrownBy(() => parseArguments(['--jsn', 'a', '--to', '--json=1', 'b'], CREATE))
    expect(error.message).to.equal('the command line is not understood')
    expect(error.problems.map(({ message }) => message)).to.deep.equal([
      'create has no flag --jsn',
      '--to needs a value',
      'create does not take "b"',
    ])
  })

  it('takes the value of another command’s flag for its value, not for an argument', () => {
    const foreignFlags = [{ name: 'steps', value: 'N', help: '' }]
    expect(thrownBy(() => parseArguments(['--steps', '3'], { ...SHAPE, foreignFlags }))).to.include(
      { message: 'up has no flag --steps' },
    )
  })

  for (const args of [
    ['--databse-url', 'postgres://ada:s3cret@db/app'],
    ['--databse-url=postgres://ada:s3cret@db/app'],
    ['postgres://ada:s3cret@db/app'],
    ['-d', 'host=db password=s3cret'],
  ]) {
    it(`repeats no password of ${args.join(' ')}`, () => {
      expect(wholeText(thrownBy(() => parseArguments(args, SHAPE)))).to.not.include('s3cret')
    })
  }
})

describe('closest', () => {
  const WORDS = ['up', 'status', 'rollback', 'verify', 'db start', 'db stop']

  for (const [word, meant] of [
    ['status', 'status'],
    ['statsu', 'status'],
    ['staus', 'status'],
    ['satus', 'status'],
    ['rolback', 'rollback'],
    ['verifyy', 'verify'],
    ['pu', 'up'],
    ['u', 'up'],
    ['db strat', 'db start'],
  ] as const) {
    it(`takes ${word} for ${meant}`, () => {
      expect(closest(word, WORDS)).to.equal(meant)
    })
  }

  for (const word of ['', 'x', 'xy', 'st', 'deploy', 'constructor']) {
    it(`takes "${word}" for nothing`, () => {
      expect(closest(word, ['status', 'rollback', 'verify'])).to.be.undefined
    })
  }

  it('takes nothing where there is nothing to take', () => {
    expect(closest('up', [])).to.be.undefined
  })
})
