// Fastify tuned as well as its and pg's own interfaces allow: two processes, verified tokens
// remembered, request and response schemas, no log, times left as text, and one prepared statement
// that sets the identity and reads the list.
import cluster from 'node:cluster'
import Fastify from 'fastify'
import { createVerifier } from 'fast-jwt'
import pg from 'pg'
import { config, page, path, publicKey, responseSchema, statements, uuid } from './common.js'

const PROCESSES = 2
const CONNECTIONS = 4 // of each process
const TOKENS_MAX = 10000
const TOKEN_LIFE_MS = 30000

// "2026-01-02 03:04:05.678901+00" → "2026-01-02T03:04:05.678Z"
function iso (s) {
  const fraction = s.length > 22 ? s.slice(19, s.length - 3).padEnd(4, '0').slice(0, 4) : '.000'
  return s.slice(0, 10) + 'T' + s.slice(11, 19) + fraction + 'Z'
}
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, iso)

// The list depends on the identity's row, so that the settings are made before any policy reads them.
const identity = statements.identity_read
const shift = identity.params.length
const list = statements.list.text.replace(/\$(\d+)/g, (_, n) => `$${+n + shift}`)
const text = `with identity as materialized (${identity.text})
  select rows.* from identity, lateral (select * from (${list}) list where identity.a = 'on') rows`

const pool = new pg.Pool({ connectionString: config.database_url, max: CONNECTIONS })
const verify = createVerifier({
  key: publicKey, algorithms: ['RS256'], allowedIss: config.issuer, allowedAud: config.audience
})
const known = new Map()

function authenticate (header) {
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

async function serve () {
  const app = Fastify({ logger: false, requestIdHeader: 'x-request-id' })
  app.get(path, {
    schema: {
      params: { type: 'object', properties: { course_id: { type: 'string', pattern: uuid } } },
      querystring: {
        type: 'object',
        properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 } }
      },
      response: { 200: responseSchema }
    }
  }, async (request, reply) => {
    const claims = authenticate(request.headers.authorization)
    if (!claims) return reply.code(401).send({ code: 'unauthenticated' })
    const limit = request.query.limit
    const { rows } = await pool.query({
      name: 'list',
      text,
      values: [claims.sub, claims.org, claims.role, request.params.course_id, limit + 1]
    })
    return page(rows, limit)
  })
  await app.listen({ path: config.socket })
}

if (cluster.isPrimary) for (let i = 0; i < PROCESSES; i++) cluster.fork()
else serve()
