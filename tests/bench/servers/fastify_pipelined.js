// Fastify past what pg offers: as fastify_tuned.js, but identity and list are two prepared statements that
// go out together in one transaction, in messages that pg can send but has no method for, and rows are
// read from the messages. A bound on what JavaScript can do here, not what a project would write.
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

function announcement (f) {
  return {
    id: f[0],
    course_id: f[1],
    author_id: f[2],
    title: f[3],
    body: f[4],
    pinned: f[5] === 't',
    publish_at: iso(f[6]),
    version: +f[7],
    created_at: iso(f[8]),
    updated_at: iso(f[9])
  }
}

// A query of pg's own kind: pg calls submit() when it is its turn, and the handlers as messages come.
class Listing {
  constructor (identity, values, done) {
    this.identity = identity
    this.values = values
    this.callback = done
    this.rows = []
    this.command = 0
    this.failure = null
  }

  submit (connection) {
    connection.stream.cork()
    if (!connection.benchPrepared) {
      connection.parse({ name: 'identity', text: statements.identity_read.text })
      connection.parse({ name: 'list', text: statements.list.text })
      connection.benchPrepared = true
    }
    connection.bind({ statement: 'identity', values: this.identity })
    connection.execute({})
    connection.bind({ statement: 'list', values: this.values })
    connection.execute({})
    connection.sync()
    connection.stream.uncork()
    return null
  }

  handleRowDescription () {}

  handleDataRow (message) {
    if (this.command === 1) this.rows.push(announcement(message.fields))
  }

  handleCommandComplete () {
    this.command++
  }

  handleError (error) {
    this.failure = error
    this.callback(error)
  }

  handleReadyForQuery () {
    if (!this.failure) this.callback(null, this.rows)
  }
}

class Clients {
  constructor () {
    this.idle = []
    this.waiting = []
  }

  async open () {
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = new pg.Client({ connectionString: config.database_url })
      await client.connect()
      this.idle.push(client)
    }
  }

  list (identity, values) {
    return new Promise((resolve, reject) => {
      const listing = new Listing(identity, values, (error, rows) => {
        this.next(listing.client)
        error ? reject(error) : resolve(rows)
      })
      if (this.idle.length > 0) this.run(this.idle.pop(), listing)
      else this.waiting.push(listing)
    })
  }

  run (client, listing) {
    listing.client = client
    client.query(listing)
  }

  next (client) {
    setImmediate(() => {
      if (this.waiting.length > 0) this.run(client, this.waiting.shift())
      else this.idle.push(client)
    })
  }
}

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
  const clients = new Clients()
  await clients.open()
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
    const rows = await clients.list([claims.sub, claims.org, claims.role],
      [request.params.course_id, String(limit + 1)])
    return page(rows, limit)
  })
  await app.listen({ path: config.socket })
}

if (cluster.isPrimary) for (let i = 0; i < PROCESSES; i++) cluster.fork()
else serve()
