// What the servers share: the settings that tests/bench/run gives them, and the endpoint's shape.
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createVerifier } from 'fast-jwt'
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

// What both tuned servers do.
// "2026-01-02 03:04:05.678901+00" → "2026-01-02T03:04:05.678Z"
export function iso (s) {
  const fraction = s.length > 22 ? s.slice(19, s.length - 3).padEnd(4, '0').slice(0, 4) : '.000'
  return s.slice(0, 10) + 'T' + s.slice(11, 19) + fraction + 'Z'
}

const TOKENS_MAX = 10000
const TOKEN_LIFE_MS = 30000
const verify = createVerifier({
  key: publicKey, algorithms: ['RS256'], allowedIss: config.issuer, allowedAud: config.audience
})
const known = new Map()

export function authenticate (header) {
  if (!header || !header.startsWith('Bearer ')) return null
  const token = header.slice(7)
  const found = known.get(token)
  const now = Date.now()
  if (found && found.until > now) return found.claims
  try {
    const claims = verify(token)
    if (known.size >= TOKENS_MAX) known.clear()
    known.set(token, { claims, until: Math.min(claims.exp * 1000, now + TOKEN_LIFE_MS) })
    return claims
  } catch {
    return null
  }
}

export const schema = {
  params: { type: 'object', properties: { course_id: { type: 'string', pattern: uuid } } },
  querystring: {
    type: 'object',
    properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 } }
  },
  response: { 200: responseSchema }
}
