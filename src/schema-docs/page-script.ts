/** What the page does: search, and showing which lines belong to a table. Without it everything is there to read. */
export const PAGE_SCRIPT = `
const form = document.querySelector('search form')
const query = form.querySelector('input[type=search]')
const onlyPhi = form.querySelector('input[type=checkbox]')
const output = form.querySelector('output')
const tables = [...document.querySelectorAll('section.table')].map((section) => ({
  section,
  text: section.dataset.text,
  entry: document.querySelector('nav a[href="#' + CSS.escape(section.id) + '"]').parentElement,
  rows: [...section.querySelectorAll('tbody tr')].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    isPhi: row.hasAttribute('data-phi'),
  })),
}))

function filter() {
  const words = query.value.toLowerCase().split(/\\s+/).filter((word) => word !== '')
  const has = (text) => words.every((word) => text.includes(word))
  let shownTables = 0
  let shownColumns = 0
  for (const { section, entry, text, rows } of tables) {
    const isNamed = has(text)
    let shown = 0
    for (const { row, text: rowText, isPhi } of rows) {
      const isShown = (isNamed || has(section.dataset.name + ' ' + rowText)) && (isPhi || !onlyPhi.checked)
      row.hidden = !isShown
      if (isShown) shown += 1
    }
    const isShown = shown > 0 || (isNamed && !onlyPhi.checked)
    section.hidden = !isShown
    entry.hidden = !isShown
    if (isShown) shownTables += 1
    shownColumns += shown
  }
  const isFiltered = words.length > 0 || onlyPhi.checked
  const counted = (number, noun) => number + ' ' + noun + (number === 1 ? '' : 's')
  output.value = !isFiltered ? '' : shownTables === 0 ? 'Nothing matches' : counted(shownColumns, 'column') + ' in ' + counted(shownTables, 'table')
}

form.hidden = false
form.addEventListener('input', filter)
form.addEventListener('submit', (event) => {
  event.preventDefault()
  const first = tables.find(({ section }) => !section.hidden)
  if (first) first.section.querySelector('h2 a').focus()
})
query.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return
  query.value = ''
  filter()
})
document.addEventListener('keydown', (event) => {
  const isTyping = event.target instanceof HTMLInputElement && event.target.type !== 'checkbox'
  if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  query.focus()
  query.select()
})
// A link to what the search hides shows all again.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (!target || !target.closest('[hidden]')) return
  query.value = ''
  onlyPhi.checked = false
  filter()
  target.scrollIntoView()
}
addEventListener('hashchange', reveal)
// The browser may keep what was typed before the page was loaded again.
filter()

for (const diagram of document.querySelectorAll('svg.diagram')) {
  const links = [...diagram.querySelectorAll('.link')]
  const pick = (name) => {
    diagram.classList.toggle('picked', name !== undefined)
    for (const link of links) link.classList.toggle('picked', link.dataset.child === name || link.dataset.parent === name)
  }
  for (const box of diagram.querySelectorAll('.box')) {
    for (const event of ['mouseenter', 'focus']) box.addEventListener(event, () => pick(box.dataset.table))
    for (const event of ['mouseleave', 'blur']) box.addEventListener(event, () => pick(undefined))
  }
}
`
