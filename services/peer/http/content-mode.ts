import { HypercastError } from '../errors.ts'
import { mediaKind } from '../streams/media-types.ts'
import { shorten } from './start.ts'

/** How the events of a request are written (CloudEvents HTTP protocol binding 1.0.2, section 3). */
export type ContentMode = 'binary' | 'structured' | 'batch'

/** Content types whose bodies hold whole events. */
export const STRUCTURED_TYPE = 'application/cloudevents+json'
export const BATCH_TYPE = 'application/cloudevents-batch+json'
/** Content types that are read as whole events, for parsers. */
export const CLOUDEVENTS_TYPES = /^application\/cloudevents(?:$|[^a-z0-9])/i

/**
 * The mode that a Content-Type stands for: binary for all that are not CloudEvents' own.
 * @throws HypercastError UNSUPPORTED_MEDIA_TYPE for an event format other than JSON, and for one not in UTF-8
 */
export function contentMode(header: string | undefined): ContentMode {
  const contentType = header?.trim() ?? ''
  if (!CLOUDEVENTS_TYPES.test(contentType)) return 'binary'
  const essence = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (essence !== STRUCTURED_TYPE && essence !== BATCH_TYPE) {
    throw new HypercastError(
      'UNSUPPORTED_MEDIA_TYPE',
      `"${shorten(contentType)}" is not taken. CloudEvents come as ${STRUCTURED_TYPE}, as ${BATCH_TYPE}, or in binary mode: the data as the body, the attributes in ce-* headers.`,
    )
  }
  if (!mediaKind(contentType).isUtf8) {
    throw new HypercastError(
      'UNSUPPORTED_MEDIA_TYPE',
      `JSON is written in UTF-8: send ${essence} without another charset.`,
    )
  }
  return essence === STRUCTURED_TYPE ? 'structured' : 'batch'
}
