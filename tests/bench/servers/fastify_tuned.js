// Fastify tuned as well as its and pg's own interfaces allow: two processes, verified tokens
// remembered, request and response schemas, no log, times left as text, and one prepared statement
// that sets the identity and reads the list.
import cluster from 'node:cluster'
import Fastify from 'fastify'
import pg from 'pg'
import { authenticate, config, iso, page, path, schema, statements } from './common.js'

const PROCESSES = 2
const CONNECTIONS = 4 // of each process

pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, iso)

// The list depends on the identity's row, so that the settings are made before any policy reads them.
const identity = statements.identity_read
const shift = identity.params.length
const list = statements.list.text.replace(/\$(\d+)/g, (_, n) => `$${+n + shift}`)
const text = `with identity as materialized (${identity.text})
  select rows.* from identity, lateral (select * from (${list}) list where identity.a = 'on') rows`

const pool = new pg.Pool({ connectionString: config.database_url, max: CONNECTIONS })

async function serve () {
  const app = Fastify({ logger: false, requestIdHeader: 'x-request-id' })
  app.get(path, { schema }, async (request, reply) => {
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
