// A decoder of the CBOR (RFC 8949) that the program writes: items of known length, no tags.

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const SIMPLE = 7;

// The item that `bytes` hold. Byte strings are views of `bytes`, not copies.
export function decode(bytes) {
  const reader = new Reader(bytes);
  const item = reader.item();
  if (reader.at !== bytes.length) throw new Error("CBOR: bytes follow the end of the item");
  return item;
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.text = new TextDecoder("utf-8", { fatal: true });
    this.at = 0;
  }

  item() {
    const head = this.view.getUint8(this.at);
    this.at += 1;
    const [kind, detail] = [head >> 5, head & 31];
    if (kind === SIMPLE) return this.simple(detail);
    const argument = this.argument(detail);
    switch (kind) {
      case UNSIGNED: return argument;
      case NEGATIVE: return -1 - argument;
      case BYTES: return this.take(argument);
      case TEXT: return this.text.decode(this.take(argument));
      case ARRAY: return Array.from({ length: argument }, () => this.item());
      case MAP: return Object.fromEntries(Array.from({ length: argument }, () => [this.item(), this.item()]));
      default: throw new Error(`CBOR: items of type ${kind} are not supported`);
    }
  }

  // The number in the head of an item, or in the 1, 2, 4 or 8 bytes after it.
  argument(detail) {
    if (detail < 24) return detail;
    switch (detail) {
      case 24: return this.number(1, "getUint8");
      case 25: return this.number(2, "getUint16");
      case 26: return this.number(4, "getUint32");
      case 27: return Number(this.number(8, "getBigUint64"));
      default: throw new Error("CBOR: items without a length are not supported");
    }
  }

  simple(detail) {
    switch (detail) {
      case 20: return false;
      case 21: return true;
      case 22: return null;
      // The program writes a float in the fewest bytes that keep its value.
      case 25: return fromHalf(this.number(2, "getUint16"));
      case 26: return this.number(4, "getFloat32");
      case 27: return this.number(8, "getFloat64");
      default: throw new Error(`CBOR: the value ${detail} is not supported`);
    }
  }

  number(size, method) {
    const number = this.view[method](this.at);
    this.at += size;
    return number;
  }

  take(length) {
    const taken = this.bytes.subarray(this.at, this.at + length);
    if (taken.length !== length) throw new Error("CBOR: it ends too early");
    this.at += length;
    return taken;
  }
}

// The value of the 16 bits of a half-precision float.
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}
