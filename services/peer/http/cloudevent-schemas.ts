import { type TStringOptions, Type } from 'typebox'

/** An optional attribute, which may also be there and null. */
const Nullable = (options: TStringOptions) => Type.Optional(Type.Union([Type.String(options), Type.Null()]))

/** The JSON format's object, as the contract shows it; structured.ts says the same and more in words. */
export const CloudEventSchema = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({ minLength: 1, description: 'With the source, unique for each event.' }),
    source: Type.String({ minLength: 1, format: 'uri-reference', examples: ['/stadium/1'] }),
    type: Type.String({
      minLength: 1,
      description:
        'Its name in SSE with `named=true`; open, error, message, gap, end and cloudevent are reserved.',
      examples: ['org.example.goal'],
    }),
    subject: Nullable({ minLength: 1 }),
    time: Nullable({ format: 'date-time' }),
    datacontenttype: Nullable({ description: 'Media type of the data; without it `data` is JSON.' }),
    dataschema: Nullable({ format: 'uri' }),
    data: Type.Optional(
      Type.Unknown({ description: 'Any JSON; a string where the media type is not JSON.' }),
    ),
    data_base64: Type.Optional(Type.String({ description: 'Bytes in base64, in place of `data`.' })),
  },
  {
    $id: 'CloudEvent',
    additionalProperties: Type.Union([Type.String(), Type.Boolean(), Type.Integer(), Type.Null()]),
    description:
      'A CloudEvents 1.0 event in the JSON format. Other members are extension attributes: lower-case letters and digits as names, strings, booleans and integers of 32 bits as values. An attribute that is null is not there.',
  },
)

/** Schema of a batch of them. */
export const CLOUDEVENT_LIST = {
  type: 'array',
  items: { $ref: 'CloudEvent#' },
  minItems: 1,
  description: 'All of them are published, or none.',
}
