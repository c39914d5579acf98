import type { Services } from './ownership.ts'

/** Which service of the federation owns which tables of this repository's migrations. */
export const services = {
  institutions: ['institutions'],
  patients: ['patients', 'patient_sessions'],
  providers: ['providers', 'visits'],
  'recommendation-items': ['recommendation_items'],
  recommendations: ['recommendations'],
} satisfies Services
