import { LmdbKv } from '../../services/peer/store/lmdb.ts'

/**
 * Writes more to the database in the folder given than this process may, and little rows all the while. Says, one a
 * line: how many little writes were made before the failure was known, and which of them were said to be durable.
 */
const ROW_BYTES = 262_144
const ROWS = 200
const kv = new LmdbKv(process.argv[2]!)
await kv.write([{ key: 'a\u0000\u0000', value: Buffer.from('first') }])
const rows = Array.from({ length: ROWS }, (_, i) => {
  return { key: `l\u0000\u0001${String.fromCharCode(i)}`, value: Buffer.alloc(ROW_BYTES, i) }
})
let isOver = false
const over = () => {
  isOver = true
}
const large = kv.write(rows).then(() => {
  throw new Error('the large write succeeded')
}, over)
const durable: number[] = []
let made = 0
while (!isOver) {
  const number = made++
  const little = kv.write([{ key: `z\u0000\u0000${number}`, value: Buffer.from('little') }])
  little.then(
    () => durable.push(number),
    () => {},
  )
  await new Promise(resolve => setTimeout(resolve, 1))
}
await large
await kv.close()
console.log(made)
console.log(durable.length)
// The lmdb library leaves a rejection of its own behind, beside the one it gives.
process.exit(0)
