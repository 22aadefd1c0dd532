// Express as its manual shows it: jsonwebtoken, a pool of pg, one process, a transaction in which
// the identity is set and the list read.
import express from 'express'
import jsonwebtoken from 'jsonwebtoken'
import pg from 'pg'
import { config, page, path, publicKey, statements } from './common.js'

const app = express()
const pool = new pg.Pool({ connectionString: config.database_url })

function authenticate (req, res, next) {
  const token = (req.headers.authorization ?? '').split(' ')[1]
  jsonwebtoken.verify(token, publicKey, { algorithms: ['RS256'] }, (error, claims) => {
    if (error) return res.status(401).json({ code: 'unauthenticated' })
    req.user = claims
    next()
  })
}

app.get(path, authenticate, async (req, res) => {
  const limit = Number(req.query.limit ?? 20)
  const { sub, org, role } = req.user
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(statements.identity_read.text, [sub, org, role])
    const { rows } = await client.query(statements.list.text, [req.params.course_id, limit + 1])
    await client.query('commit')
    res.json(page(rows, limit))
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
})

app.listen(config.socket)
