import { expect } from 'chai'

/** Fails where a page has an id twice, a link to no id, an element that is not closed, or loads anything. */
export function expectSoundPage(html: string): void {
  const body = html.replace(/<(style|script)>[^]*?<\/\1>/g, '')
  const ids = [...body.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
  expect(
    ids.filter((id, i) => ids.indexOf(id) !== i),
    'ids that are there twice',
  ).to.eql([])
  const targets = [...body.matchAll(/ href="([^"]*)"/g)].map(([, href = '']) => href)
  const anchors = targets.filter((href) => href.startsWith('#')).map((href) => href.slice(1))
  expect(
    anchors.filter((anchor) => !ids.includes(anchor)),
    'links to nothing',
  ).to.eql([])
  expect(targets.filter((href) => !href.startsWith('#'))).to.eql(['data:,'])
  const named = [...body.matchAll(/ (?:aria-labelledby|for)="([^"]*)"/g)].map(([, id]) => id)
  expect(
    named.filter((id) => !ids.includes(id)),
    'labels that are not there',
  ).to.eql([])
  expect(html).to.not.match(/ src=|url\(|@import|https?:\/\/(?!www\.w3\.org)|fetch\(|import\(/)
  expectClosed(body)
}

const VOID = new Set(['meta', 'link', 'input'])

function expectClosed(body: string): void {
  const open: string[] = []
  for (const [, slash, name = '', end] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/g)) {
    if (slash === '/') expect(open.pop()).to.equal(name)
    else if (end !== '/' && !VOID.has(name)) open.push(name)
  }
  expect(open).to.eql([])
}
