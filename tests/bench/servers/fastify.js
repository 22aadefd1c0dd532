// Fastify as its manual shows it: logger on, the jwt and postgres plugins, one process, a
// transaction in which the identity is set and the list read.
import Fastify from 'fastify'
import jwt from '@fastify/jwt'
import postgres from '@fastify/postgres'
import { config, page, path, publicKey, statements } from './common.js'

const fastify = Fastify({ logger: true })

fastify.register(jwt, { secret: { public: publicKey }, verify: { algorithms: ['RS256'] } })
fastify.register(postgres, { connectionString: config.database_url })

fastify.get(path, async (request) => {
  await request.jwtVerify()
  const limit = Number(request.query.limit ?? 20)
  const { sub, org, role } = request.user
  const rows = await fastify.pg.transact(async client => {
    await client.query(statements.identity_read.text, [sub, org, role])
    const result = await client.query(statements.list.text, [request.params.course_id, limit + 1])
    return result.rows
  })
  return page(rows, limit)
})

await fastify.listen({ path: config.socket })
