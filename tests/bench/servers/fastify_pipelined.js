// Fastify past what pg offers: as fastify_tuned.js, but identity and list are two prepared statements that
// go out together in one transaction, in messages that pg can send but has no method for, and rows are
// read from the messages. A bound on what JavaScript can do here, not what a project would write.
import cluster from 'node:cluster'
import Fastify from 'fastify'
import pg from 'pg'
import { authenticate, config, iso, page, path, schema, statements } from './common.js'

const PROCESSES = 2
const CONNECTIONS = 4 // of each process

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

async function serve () {
  const app = Fastify({ logger: false, requestIdHeader: 'x-request-id' })
  const clients = new Clients()
  await clients.open()
  app.get(path, { schema }, async (request, reply) => {
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
