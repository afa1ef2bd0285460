import { runRoom } from './support/room.ts'

await runRoom('membership')
