import { type Static, Type } from 'typebox'
import { LIMITS } from '../limits.ts'

const CLOSED = { additionalProperties: false } as const

/** Who is gone for good, as an operator says. */
export const RecoverInput = Type.Object(
  {
    lost: Type.Array(
      Type.String({ pattern: '^[01]+$', maxLength: LIMITS.MAX_DIMENSION, examples: ['011'] }),
      {
        minItems: 1,
        maxItems: 2 ** LIMITS.MAX_DIMENSION,
        description:
          'Labels of the peers that are gone for good; those that are off the list already are passed over.',
      },
    ),
    force: Type.Optional(
      Type.Boolean({ default: false, description: 'Do it; without it, the answer says what would be done.' }),
    ),
    by: Type.Optional(
      Type.String({
        maxLength: LIMITS.MAX_RECOVERED_BY_LENGTH,
        description: 'Who asks, for the roster’s note.',
      }),
    ),
  },
  CLOSED,
)

const SlotSchema = Type.Object(
  {
    slot: Type.Integer({
      minimum: 0,
      description: 'Its number; the roster’s own slot follows the last topic slot.',
    }),
    roster: Type.Boolean({ description: 'It is the roster’s own.' }),
    action: Type.Union([Type.Literal('continued'), Type.Literal('founded')], {
      description:
        'continued: with the log of one peer that is left. founded: no copy is left, its topics are gone, and it begins anew, empty.',
    }),
    peer: Type.String({ description: 'The label of the peer it goes on at.' }),
    last: Type.Integer({
      minimum: 0,
      description: 'Index of the last log entry that is left: whatever only the lost had behind it is gone.',
    }),
    corrupt: Type.Array(Type.String(), {
      description:
        'Labels of peers that are left and whose copy of it has a corrupt record: what only they had is given up too.',
    }),
  },
  CLOSED,
)

const StuckSchema = Type.Object(
  {
    slot: Type.Integer({ minimum: 0 }),
    corrupt: Type.Array(Type.String(), {
      description:
        'Labels of the peers that have such a copy. Whoever gives up one of them stops it and names it as lost as well.',
    }),
  },
  CLOSED,
)

export const RecoverySchema = Type.Object(
  {
    done: Type.Boolean({ description: 'False for a plan: nothing was changed.' }),
    version: Type.Integer({ minimum: 1, description: 'Version of the roster.' }),
    lost: Type.Array(Type.Object({ id: Type.String(), url: Type.String() }, CLOSED), {
      description: 'The peers that go, or went, off the list.',
    }),
    slots: Type.Array(SlotSchema, { description: 'Slots that have lost their majority.' }),
    kept: Type.Integer({ minimum: 0, description: 'Slots that have a majority and are left alone.' }),
    stuck: Type.Array(StuckSchema, {
      description:
        'Slots that are lost and not founded anew, because copies with a corrupt record are all that is left of them.',
    }),
  },
  { $id: 'Recovery', ...CLOSED, description: 'How slots go on that lost their majority for good.' },
)
export type RecoveryBody = Static<typeof RecoverySchema>
