import { expect } from 'chai'
import { layOut } from '../../src/schema-docs/diagram-layout.ts'
import { renderSchemaPage } from '../../src/schema-docs/page.ts'
import { expectSoundPage } from '../support/html.ts'
import { column, table, WARDS } from '../support/schema-document.ts'

describe('renderSchemaPage', () => {
  it('is sound, loads nothing, and is the same each time', () => {
    const page = renderSchemaPage(WARDS)
    expectSoundPage(page)
    expect(renderSchemaPage(structuredClone(WARDS))).to.equal(page)
  })

  it('shows every name and comment, escaped', () => {
    const page = renderSchemaPage(WARDS)
    for (const text of [
      '- &lt;b&gt;Beds&lt;/b&gt; | of a *ward*',
      'Who lies in it | &quot;name&quot; &amp; &lt;i&gt;id&lt;/i&gt;',
      '<code>patient &lt;&gt; &#39;|&#39;</code>',
      'id="table.beds.ward_id"',
      '<title>beds (ward_id) → wards (id), on delete cascade</title>',
    ]) {
      expect(page).to.include(text)
    }
    expect(page.match(/>PHI<\/span>/g)).to.have.length(1)
  })

  it('gives odd names anchors of their own', () => {
    const names = ['a b', 'a.b', 'a', '"><script>', 'A', 'a-name', 'heading.a', 'table', 'table.a']
    const tables = names.map((name) => table(name, { columns: [column('b'), column('b c')] }))
    const page = renderSchemaPage({ migration: undefined, tables })
    expectSoundPage(page)
    expect(page.match(/<script>/g)).to.have.length(1)
  })

  it('is sound where there is no table', () => {
    expectSoundPage(renderSchemaPage({ migration: undefined, tables: [] }))
  })
})

describe('layOut', () => {
  const names = Array.from({ length: 50 }, (_, i) => `t${i}`)
  const boxes = names.map((name, i) => ({
    name,
    width: 100 + (i % 7) * 15,
    height: 40 + (i % 5) * 20,
  }))
  // A hub, chains, a circle, and one that points at itself.
  const links = names
    .slice(1, 45)
    .flatMap((child, i) => [
      { child, parent: `t${Math.floor(i / 3)}` },
      ...(i % 4 === 0 ? [{ child, parent: 't0' }] : []),
    ])
  const all = [...links, { child: 't0', parent: 't20' }, { child: 't9', parent: 't9' }]

  for (const boxesInRow of [2, 5]) {
    const layout = layOut(boxes, all, { boxesInRow, gap: 20 })

    it(`lets no boxes touch, ${boxesInRow} in a row`, () => {
      expect(layout.boxes).to.have.length(50)
      for (const [i, a] of layout.boxes.entries()) {
        expect(a.x).to.be.at.least(0)
        expect(a.x + a.width).to.be.at.most(layout.width)
        expect(a.y + a.height).to.be.at.most(layout.height)
        const met = layout.boxes.slice(i + 1).filter((b) => {
          const isApart = a.x + a.width <= b.x || b.x + b.width <= a.x
          return !isApart && a.y + a.height > b.y && b.y + b.height > a.y
        })
        expect(met).to.have.length(0)
      }
    })

    it(`leads each line from the child to the parent and through no box, ${boxesInRow} in a row`, () => {
      const boxOf = (name: string) => layout.boxes.find((box) => box.name === name)!
      for (const { link, points } of layout.links) {
        for (const [name, end] of [
          [link.child, points[0]!],
          [link.parent, points.at(-1)!],
        ] as const) {
          const { x, y, width, height } = boxOf(name)
          expect(end.x).to.be.within(x, x + width)
          expect([y, y + height].includes(end.y) || link.child === link.parent).to.equal(true)
        }
        if (link.child === link.parent) continue
        const wrong = points.slice(1).filter((from, i) => {
          const to = points[i]!
          const isMet = layout.boxes.some(({ x, y, width, height }) => {
            const isBeside = Math.max(from.x, to.x) <= x || Math.min(from.x, to.x) >= x + width
            const isAbove = Math.max(from.y, to.y) <= y || Math.min(from.y, to.y) >= y + height
            return !isBeside && !isAbove
          })
          return isMet || (from.x !== to.x && from.y !== to.y)
        })
        expect(wrong, JSON.stringify(link)).to.have.length(0)
      }
    })
  }
})
