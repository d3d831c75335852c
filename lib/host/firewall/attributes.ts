import { attributesOf, LITTLE, textOf } from '../../network/message.js'

/** The attributes of a nest, by their types. */
export type Attributes = Map<number, DataView>

export const attributesIn = (view: DataView, from: number): Attributes => attributesOf(view, from)

/** The members of a list: attributes of the same type, one behind the other. */
export function list(view: DataView | undefined): DataView[] {
  const members: DataView[] = []
  for (let at = 0; view !== undefined && at + 4 <= view.byteLength;) {
    const length = view.getUint16(at, LITTLE)
    if (length < 4 || at + length > view.byteLength) break
    members.push(new DataView(view.buffer, view.byteOffset + at + 4, length - 4))
    at += length + 3 & ~3
  }
  return members
}

/** A number, which nf_tables writes in network byte order; 0 where it is left out. */
export const numberOf = (view: DataView | undefined): number => view === undefined || view.byteLength < 4 ? 0 : view.getUint32(0)

export const text = (view: DataView | undefined): string => view === undefined ? '' : textOf(view)
