/** English nouns whose singular no rule below gives: by their ends, in small letters. */
const IRREGULAR: readonly (readonly [plural: string, singular: string])[] = [
  ['people', 'person'],
  ['children', 'child'],
  ['women', 'woman'],
  ['feet', 'foot'],
  ['teeth', 'tooth'],
  ['criteria', 'criterion'],
  ['phenomena', 'phenomenon'],
  ['bacteria', 'bacterium'],
  ['indices', 'index'],
  ['matrices', 'matrix'],
  ['appendices', 'appendix'],
  ['lives', 'life'],
  ['halves', 'half'],
  ['calves', 'calf'],
  ['shelves', 'shelf'],
  ['series', 'series'],
  ['species', 'species'],
  ['calories', 'calorie'],
  ['movies', 'movie'],
  ['cookies', 'cookie'],
  ['toes', 'toe'],
  ['shoes', 'shoe'],
  ['headaches', 'headache'],
  ['caches', 'cache'],
  ['axes', 'axis'],
  ['crises', 'crisis'],
  ['bases', 'base'],
  ['news', 'news'],
]

/** Plurals in -ses of words in -sis, as medicine has them: diagnoses, analyses, metastases, theses. */
const GREEK =
  /((?:diagno|progno|analy|paraly|dialy|synthe|hypothe|prosthe|parenthe|sep|metasta)s)es$/i

const RULES: readonly (readonly [RegExp, string])[] = [
  [/(ss|us|is|as)$/i, '$1'],
  [GREEK, '$1is'],
  [/([^aeiou])ies$/i, '$1y'],
  [/((?:^|[^a-z]|ca|pa|cla|spo|ho|blo|mo|ga|f|ab|exc)us)es$/i, '$1e'],
  [/(us)es$/i, '$1'],
  [/(ss|x|ch|sh|zz|o)es$/i, '$1'],
  [/s$/i, ''],
]

/** The singular of an English noun, or of the last word of a name; what has none stays. */
export function singular(name: string): string {
  for (const [plural, one] of IRREGULAR) {
    if (endsWithWord(name, plural)) return replaceEnd(name, plural, one)
  }
  const rule = RULES.find(([pattern]) => pattern.test(name))
  return rule === undefined ? name : name.replace(rule[0], rule[1]) || name
}

/** The plural of an English noun, or of the last word of a name; what looks like a plural stays. */
export function plural(name: string): string {
  for (const [many, one] of IRREGULAR) {
    if (endsWithWord(name, one)) return replaceEnd(name, one, many)
  }
  if (/[^aeiou]y$/i.test(name)) return `${name.slice(0, -1)}ies`
  if (/sis$/i.test(name)) return `${name.slice(0, -2)}es`
  if (/(ss|us|as|is|x|z|ch|sh)$/i.test(name)) return `${name}es`
  return /s$/i.test(name) ? name : `${name}s`
}

/** True where the name ends with that word, or is it: `TestPeople`, `test_people`, not `olives`. */
function endsWithWord(name: string, word: string): boolean {
  const end = name.slice(-word.length)
  if (end.toLowerCase() !== word) return false
  const before = name.at(-word.length - 1) ?? ''
  return !/[a-z]/i.test(before) || /^[A-Z][a-z]/.test(end)
}

function replaceEnd(name: string, from: string, to: string): string {
  const isCapital = /^[A-Z]/.test(name.slice(-from.length))
  const end = isCapital ? `${to.charAt(0).toUpperCase()}${to.slice(1)}` : to
  return `${name.slice(0, -from.length)}${end}`
}
