import { expect } from 'chai'
import { readCheckHints } from '../../src/check-hints.ts'

describe('hints of a CHECK', () => {
  it('are the constants, whatever names stand beside them', () => {
    const hints = readCheckHints([
      `(("kind 7" = ANY (ARRAY['a'::text, 'it''s'::text])) AND (col2 >= 12) AND (x < 0.5) AND (y > '-5'::integer))`,
    ])
    expect(hints.texts).to.deep.equal(['a', "it's", '-5'])
    expect(hints.numbers).to.deep.equal([12, 0.5, -5])
  })

  it('tell regular expressions and LIKE from other texts', () => {
    const hints = readCheckHints([
      `((a ~ '^x$'::text) AND (b ~~* 'y%'::text) AND (c !~ 'z'::text) AND (d = 'w'::text))`,
      `(a ~ ANY (ARRAY['p1'::text, 'p2'::text]))`,
      `regexp_like(a, 'r'::text)`,
      `(e ~ similar_to_escape('A_%'::text))`,
    ])
    expect(hints.patterns).to.deep.equal(['^x$', 'p1', 'p2', 'r', '^(A..*)$'])
    expect(hints.likes).to.deep.equal(['y%'])
    expect(hints.texts).to.deep.equal(['z', 'w'])
  })

  it('take an array apart, and know when lengths are meant', () => {
    expect(readCheckHints([`(a <@ '{x,"y z"}'::text[])`])).to.deep.include({
      texts: ['{x,"y z"}', 'x', 'y z'],
      isAboutLength: false,
    })
    expect(readCheckHints(['(char_length(a) > 3)']).isAboutLength).to.be.true
  })
})
