/** Creates recommendations, what a patient is advised to do, and the items each is made of. */
import { type Kysely, sql } from 'kysely'

const PRIORITIES = ['LOW', 'MEDIUM', 'HIGH', 'URGENT']

const STATUSES = ['DRAFT', 'ACTIVE', 'COMPLETED', 'CANCELLED']

const ITEM_TYPES = [
  'MEDICATION',
  'LAB_TEST',
  'IMAGING',
  'PROCEDURE',
  'FOLLOW_UP',
  'LIFESTYLE',
  'EDUCATION',
  'SCREENING',
  'VACCINATION',
  'THERAPY',
]

const EVIDENCE_LEVELS = [
  'LEVEL_I',
  'LEVEL_II',
  'LEVEL_III',
  'LEVEL_IV',
  'LEVEL_V',
  'EXPERT_OPINION',
  'CONSENSUS',
]

export async function up(db: Kysely<any>): Promise<void> {
  await createRecommendations(db)
  await createRecommendationItems(db)
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('recommendation_items').execute()
  await db.schema.dropTable('recommendations').execute()
}

async function createRecommendations(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('recommendations')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('patient_id', 'uuid', (col) => col.notNull())
    .addColumn('provider_id', 'uuid')
    .addColumn('title', 'varchar(255)', (col) => col.notNull())
    .addColumn('description', 'text')
    .addColumn('category', 'varchar(50)')
    .addColumn('priority', 'varchar(20)', (col) => col.notNull().defaultTo('MEDIUM'))
    .addColumn('status', 'varchar(20)', (col) => col.notNull().defaultTo('ACTIVE'))
    .addColumn('due_date', 'date')
    .addColumn('evidence_level', 'varchar(20)')
    .addColumn('source', 'varchar(100)')
    .addColumn('metadata', 'jsonb')
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('updated_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addForeignKeyConstraint(
      'fk_recommendations_patient',
      ['patient_id'],
      'patients',
      ['id'],
      (fk) => fk.onDelete('cascade'),
    )
    .addForeignKeyConstraint(
      'fk_recommendations_provider',
      ['provider_id'],
      'providers',
      ['id'],
      (fk) => fk.onDelete('set null'),
    )
    .addCheckConstraint(
      'recommendations_priority_check',
      sql`priority in (${literals(PRIORITIES)})`,
    )
    .addCheckConstraint('recommendations_status_check', sql`status in (${literals(STATUSES)})`)
    .execute()

  await db.schema
    .createIndex('idx_recommendations_patient')
    .on('recommendations')
    .column('patient_id')
    .execute()
  await db.schema
    .createIndex('idx_recommendations_provider')
    .on('recommendations')
    .column('provider_id')
    .execute()
  await db.schema
    .createIndex('idx_recommendations_status')
    .on('recommendations')
    .column('status')
    .execute()
  await db.schema
    .createIndex('idx_recommendations_category')
    .on('recommendations')
    .column('category')
    .execute()

  await sql`
    create trigger recommendations_set_updated_at before update on recommendations
    for each row execute function set_updated_at()
  `.execute(db)

  await comment(db, 'recommendations', 'What a patient is advised to do (FHIR R4 CarePlan)', {
    id: 'Surrogate key, random: says nothing about the patient',
    patient_id: 'Whom the advice is for (patients.id)',
    provider_id:
      'Who gave the advice (providers.id); null when a system did, or the provider is gone',
    title: '[PHI] The advice in a few words',
    description: '[PHI] The advice in full; free text',
    category: '[PHI] Field of care that the advice belongs to; no fixed list',
    priority: 'How urgent the advice is, as in the GraphQL enum',
    status: 'How far the advice has come, as in the GraphQL enum',
    due_date: '[PHI] By when it should be done, a calendar date without time zone',
    evidence_level:
      'Strength of the evidence, spelled as in recommendation_items.evidence_level; not checked here',
    source: 'Where the advice comes from, such as a guideline engine or a clinician',
    metadata: '[PHI] What the source adds, as a JSON object',
    created_at: 'When this row was inserted',
    updated_at: 'When this row was last updated; a trigger sets it',
  })
}

async function createRecommendationItems(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('recommendation_items')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('recommendation_id', 'uuid', (col) => col.notNull())
    .addColumn('type', 'varchar(50)')
    .addColumn('title', 'varchar(255)', (col) => col.notNull())
    .addColumn('description', 'text')
    .addColumn('action_type', 'varchar(50)')
    .addColumn('dosage', 'varchar(100)')
    .addColumn('frequency', 'varchar(50)')
    .addColumn('duration', 'varchar(50)')
    .addColumn('instructions', 'text')
    .addColumn('evidence_level', 'varchar(20)')
    .addColumn('study_references', sql`text[]`)
    .addColumn('guidelines', sql`text[]`)
    .addColumn('contraindications', sql`text[]`)
    .addColumn('side_effects', sql`text[]`)
    .addColumn('category', 'varchar(50)')
    .addColumn('is_active', 'boolean', (col) => col.notNull().defaultTo(true))
    .addColumn('completed', 'boolean', (col) => col.notNull().defaultTo(false))
    .addColumn('completed_at', 'timestamptz')
    .addColumn('notes', 'text')
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('updated_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addForeignKeyConstraint(
      'fk_recommendation_items_recommendation',
      ['recommendation_id'],
      'recommendations',
      ['id'],
      (fk) => fk.onDelete('cascade'),
    )
    .addCheckConstraint('recommendation_items_type_check', sql`type in (${literals(ITEM_TYPES)})`)
    .addCheckConstraint(
      'recommendation_items_evidence_level_check',
      sql`evidence_level in (${literals(EVIDENCE_LEVELS)})`,
    )
    .addCheckConstraint(
      'recommendation_items_completed_at_check',
      sql`completed_at is null or completed`,
    )
    // No NULL among their texts, and one dimension: with this the generated types are string[].
    .addCheckConstraint(
      'recommendation_items_study_references_check',
      sql`array_position(study_references, null) is null`,
    )
    .addCheckConstraint(
      'recommendation_items_guidelines_check',
      sql`array_position(guidelines, null) is null`,
    )
    .addCheckConstraint(
      'recommendation_items_contraindications_check',
      sql`array_position(contraindications, null) is null`,
    )
    .addCheckConstraint(
      'recommendation_items_side_effects_check',
      sql`array_position(side_effects, null) is null`,
    )
    .execute()

  await db.schema
    .createIndex('idx_recommendation_items_recommendation')
    .on('recommendation_items')
    .column('recommendation_id')
    .execute()
  await db.schema
    .createIndex('idx_recommendation_items_category_title')
    .on('recommendation_items')
    .columns(['category', 'title'])
    .execute()
  await db.schema
    .createIndex('idx_recommendation_items_type')
    .on('recommendation_items')
    .column('type')
    .execute()

  await sql`
    create trigger recommendation_items_set_updated_at before update on recommendation_items
    for each row execute function set_updated_at()
  `.execute(db)

  await comment(
    db,
    'recommendation_items',
    'Steps of a recommendation (FHIR R4 CarePlan.activity)',
    {
      id: 'Surrogate key, random: says nothing about the patient',
      recommendation_id: 'The recommendation that the step is part of (recommendations.id)',
      type: '[PHI] Kind of step, as in the GraphQL enum',
      title: '[PHI] The step in a few words',
      description: '[PHI] The step in full; free text',
      action_type: '[PHI] What to do with the step, such as start, stop or order; no fixed list',
      dosage: '[PHI] Dose with its unit, as text, such as 500 mg',
      frequency: '[PHI] How often, as text, such as twice daily',
      duration: '[PHI] For how long, with its unit, as text, such as 6 weeks',
      instructions: '[PHI] How the patient should do it; free text',
      evidence_level:
        'Strength of the evidence: LEVEL_I (strongest) to LEVEL_V, EXPERT_OPINION or CONSENSUS',
      study_references: '[PHI] Studies that support the step: citations, DOIs or PubMed ids',
      guidelines: '[PHI] Clinical guidelines that the step follows, by name',
      contraindications: '[PHI] When the step must not be done, one entry each',
      side_effects: '[PHI] Side effects to expect, one entry each',
      category: '[PHI] Field of care that the step belongs to; no fixed list',
      is_active: 'False once the step is withdrawn or replaced',
      completed: 'True once the step is done',
      completed_at: '[PHI] When the step was done; null unless completed',
      notes: '[PHI] Notes on the step; free text',
      created_at: 'When this row was inserted',
      updated_at: 'When this row was last updated; a trigger sets it',
    },
  )
}

/** The allowed values, as a list for SQL's `in`: DDL takes no bound values. */
function literals(values: readonly string[]) {
  return sql.join(values.map((value) => sql.lit(value)))
}

/** Says what a table and its columns hold. */
async function comment(
  db: Kysely<any>,
  table: string,
  text: string,
  columns: Record<string, string>,
): Promise<void> {
  await sql`comment on table ${sql.table(table)} is ${sql.lit(text)}`.execute(db)
  for (const [column, meaning] of Object.entries(columns)) {
    const name = sql.ref(`${table}.${column}`)
    await sql`comment on column ${name} is ${sql.lit(meaning)}`.execute(db)
  }
}
