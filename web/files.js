// Fetches the files of the demo side by side, and reports the bytes.

export class Fetches {
  // `onprogress` gets the bytes loaded and those of all files.
  constructor(onprogress = () => {}) {
    this.onprogress = onprogress;
    this.loaded = 0;
    this.total = 0;
  }

  // The bytes of the file at `address`, which is relative to this module.
  async bytes(address) {
    const response = await arrived(address, fetch(new URL(address, import.meta.url)));
    if (!response.ok) throw new Error(`${address}: the server answered ${response.status}: lay out the demo again`);
    this.total += Number(response.headers.get("Content-Length") ?? 0);
    return arrived(address, this.read(response.body.getReader()));
  }

  async read(reader) {
    const parts = [];
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      this.loaded += part.value.length;
      // A server that compresses names fewer bytes than arrive.
      this.onprogress(this.loaded, Math.max(this.loaded, this.total));
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }
}

// The errors of `fetch` do not name the file.
async function arrived(address, fetching) {
  try {
    return await fetching;
  } catch (error) {
    throw new Error(`${address}: ${error.message}: check the connection, then add the photo again`);
  }
}
