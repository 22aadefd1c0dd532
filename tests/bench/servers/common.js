// What the servers share: the settings that tests/bench/run gives them, and the endpoint's shape.
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import pg from 'pg'

pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export const config = JSON.parse(readFileSync(process.env.BENCH_CONFIG, 'utf8'))
export const statements = config.statements
export const publicKey = createPublicKey({ key: config.jwk, format: 'jwk' })
  .export({ type: 'spki', format: 'pem' })
export const path = '/api/v1/courses/:course_id/announcements'
export const uuid = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

// One row more than asked for was read: it tells that there is a next page.
export function page (rows, limit) {
  const more = rows.length > limit
  const data = more ? rows.slice(0, limit) : rows
  const last = data[data.length - 1]
  const cursor = more
    ? Buffer.from(`${last.id} ${+new Date(last.publish_at)}`).toString('base64url')
    : null
  return { data, page: { limit, offset: 0, total: null, next_cursor: cursor } }
}

const text = { type: 'string' }
export const responseSchema = {
  type: 'object',
  properties: {
    data: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id: text,
          course_id: { type: 'string', nullable: true },
          author_id: text,
          title: text,
          body: text,
          pinned: { type: 'boolean' },
          publish_at: text,
          version: { type: 'integer' },
          created_at: text,
          updated_at: text
        }
      }
    },
    page: {
      type: 'object',
      properties: {
        limit: { type: 'integer' },
        offset: { type: 'integer' },
        total: { type: 'integer', nullable: true },
        next_cursor: { type: 'string', nullable: true }
      }
    }
  }
}
