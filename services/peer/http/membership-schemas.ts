import { type TSchema, Type } from 'typebox'
import { NOTED_KINDS } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import { RecoverySchema } from './recovery-schemas.ts'

const CLOSED = { additionalProperties: false } as const

const Uid = Type.String({
  minLength: 1,
  maxLength: LIMITS.MAX_UID_LENGTH,
  description: 'The random id of the peer’s store.',
})
const Address = Type.String({
  maxLength: LIMITS.MAX_ADDRESS_LENGTH,
  description: 'Base URL that the other peers and clients reach it at, without a trailing slash.',
  examples: ['http://127.0.0.1:5556'],
})
/** As the roster keeps it: as wide as the cube was when the peer was added. */
const GivenId = Type.String({
  pattern: '^[01]+$',
  maxLength: LIMITS.MAX_DIMENSION,
  description: 'The label as it was given; in a cube that has grown since, its value counts: 101 is 0101.',
  examples: ['110'],
})

/** What a store says that wants to be a peer. */
export const JoinInput = Type.Object(
  {
    uid: Uid,
    url: Address,
    id: Type.Optional(
      Type.String({
        pattern: '^[01]+$',
        maxLength: LIMITS.MAX_DIMENSION,
        description: 'The label it wants; the lowest free one otherwise.',
        examples: ['101'],
      }),
    ),
    slots: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.MAX_SLOTS,
        description: 'The number of slots it was told; it must be the cluster’s.',
      }),
    ),
    format: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'The newest format its program speaks with other peers; 1 when it is not said. It must be the cluster’s or newer.',
      }),
    ),
    oldestFormat: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The oldest format its program still speaks; it must be the cluster’s or older.',
      }),
    ),
  },
  CLOSED,
)

const RosterSchema = Type.Object(
  {
    version: Type.Integer({ minimum: 1 }),
    clusterId: Type.String(),
    dimension: Type.Integer({ minimum: 1, maximum: LIMITS.MAX_DIMENSION }),
    slots: Type.Integer({ minimum: 1, maximum: LIMITS.MAX_SLOTS }),
    peers: Type.Array(
      Type.Object(
        {
          id: GivenId,
          uid: Uid,
          number: Type.Integer({ minimum: 1, description: 'Its Raft member number, never given twice.' }),
          url: Address,
          leaving: Type.Optional(Type.Literal(true)),
          format: Type.Optional(
            Type.Integer({
              minimum: 1,
              description: 'The newest format its program speaks; absent means 1.',
            }),
          ),
        },
        CLOSED,
      ),
    ),
    lastNumber: Type.Optional(
      Type.Integer({ minimum: 1, description: 'The highest member number ever given.' }),
    ),
    change: Type.Optional(
      Type.Object(
        {
          kind: Type.Union(NOTED_KINDS.map(kind => Type.Literal(kind))),
          id: GivenId,
          by: Type.String({ description: 'Who wanted it.' }),
          why: Type.String(),
          timeMs: Type.Number({ description: 'Milliseconds since 1970, the primary’s stamp.' }),
        },
        { ...CLOSED, description: 'What made this version; absent at founding.' },
      ),
    ),
    format: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'The format the peers speak with each other; absent means 1.',
      }),
    ),
  },
  {
    $id: 'Roster',
    ...CLOSED,
    description: 'The list of peers as they keep it, from which all placement follows.',
  },
)

const JoinedSchema = Type.Object(
  {
    peer: Type.Unsafe<object>({ $ref: 'Peer#' }),
    roster: Type.Unsafe<object>({ $ref: 'Roster#' }),
  },
  { $id: 'Joined', ...CLOSED, description: 'A peer that was taken in, and the roster that lists it.' },
)

const LeavingSchema = Type.Object(
  { peer: Type.Unsafe<object>({ $ref: 'Peer#' }) },
  { $id: 'Leaving', ...CLOSED, description: 'A peer on its way out.' },
)

/** Schemas of how peers come and go that others refer to by `$id`. */
export const MEMBERSHIP_SCHEMAS: readonly TSchema[] = [
  RosterSchema,
  JoinedSchema,
  LeavingSchema,
  RecoverySchema,
]
