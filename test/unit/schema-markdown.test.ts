import { expect } from 'chai'
import { renderSchemaMarkdown } from '../../src/schema-docs/markdown.ts'
import { renderMermaid } from '../../src/schema-docs/mermaid.ts'
import { column, foreignKey, table, WARDS } from '../support/schema-document.ts'

describe('renderSchemaMarkdown', () => {
  it('has contents, a diagram and a dictionary, with everything escaped', () => {
    expect(renderSchemaMarkdown(WARDS)).to.equal(PAGE)
  })

  it('links to the anchors that headings get, also where some are alike', () => {
    const markdown = renderSchemaMarkdown({
      migration: undefined,
      tables: [table('contents'), table('ward.beds'), table('wardbeds'), table('Öfen')],
    })
    expect([...markdown.matchAll(/^\| \[.*?\]\((.*?)\)/gm)].map(([, anchor]) => anchor)).to.eql([
      '#contents-1',
      '#wardbeds',
      '#wardbeds-1',
      '#öfen',
    ])
  })
})

describe('renderMermaid', () => {
  it('writes only what Mermaid can take', () => {
    const tables = [
      table('a"b%', { columns: [column('é-1', { type: 'numeric(10,2)', keys: ['primary'] })] }),
      table('empty', {
        foreignKeys: [foreignKey('odd "x"', 'a"b%'), foreignKey('y', 'elsewhere')],
      }),
    ]
    expect(renderMermaid({ migration: undefined, tables })).to.equal(`erDiagram
  "a_b_" ||--o{ "empty" : "odd _x_"
  "a_b_" {
    numeric(10_2) x_-1 PK
  }
  "empty"`)
  })

  it('has no column or type that Mermaid takes for the mark of a key', () => {
    const columns = ['pk', 'Fk', 'UK', 'pk-id', 'pk_id', 'pkid', 'the_pk'].map((name) =>
      column(name, { type: name === 'UK' ? 'fk(1)' : 'uuid', keys: ['primary'] }),
    )
    const tables = [table('keys', { columns })]
    expect(renderMermaid({ migration: undefined, tables })).to.equal(`erDiagram
  "keys" {
    uuid pk_ PK
    uuid Fk_ PK
    fk_(1) UK_ PK
    uuid pk_-id PK
    uuid pk_id PK
    uuid pkid PK
    uuid the_pk PK
  }`)
  })
})

const PAGE = `# Database schema

<!-- Written by federation-migrate from the database: change a migration, not this file. -->

2 tables · 5 columns · 1 with PHI. Up to \`002_beds\`.

PHI is protected health information: a column whose comment begins with \`[PHI]\`. The migration of a column is the one that made it or last changed its name, type, nullability, default or comment.

## Contents

| Table | Service | Columns | PHI | Holds |
| --- | --- | --- | --- | --- |
| [beds](#beds) | \`wards\` | 3 | 1 | - &lt;b&gt;Beds&lt;/b&gt; \\| of a \\*ward\\* |
| [wards](#wards) |  | 2 |  |  |

## Diagram

The keys of each table and what they point at.

\`\`\`mermaid
erDiagram
  "wards" |o--o{ "beds" : "ward_id"
  "beds" {
    uuid id PK
    uuid ward_id FK
  }
  "wards" {
    uuid id PK
    text name UK
  }
\`\`\`

## Tables

### beds

\\- &lt;b&gt;Beds&lt;/b&gt; | of a \\*ward\\*

Owned by the service \`wards\`, made by \`001_wards\`, last changed by \`002_beds\`.

| Column | Type | Null | Default | Key | PHI | Holds | Migration |
| --- | --- | --- | --- | --- | --- | --- | --- |
| \`id\` | \`uuid\` |  | \`gen_random_uuid()\` | primary |  |  | 001 |
| \`ward_id\` | \`uuid\` | null |  | foreign |  |  | 002 |
| \`patient\` | \`text\` |  |  |  | **PHI** | Who lies in it \\| "name" &amp; &lt;i&gt;id&lt;/i&gt; |  |

- Primary key \`id\` (\`beds_pkey\`)
- Foreign key \`ward_id\` → [wards](#wards) \`id\`, on delete cascade (\`fk_ward_id\`)
- Check \`patient <> '|'\` (\`beds_check\`)
- Index \`(ward_id)\` (\`idx_beds\`)
- Trigger \`beds_set BEFORE UPDATE ON beds\`

### wards

| Column | Type | Key |
| --- | --- | --- |
| \`id\` | \`uuid\` | primary |
| \`name\` | \`text\` | unique |

- Primary key \`id\` (\`wards_pkey\`)
- Unique \`name\` (\`wards_name_key\`)
- Referenced by [beds](#beds) \`ward_id\`, on delete cascade
`
