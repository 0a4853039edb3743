// The pixels of photos, as the browser decodes them.

// Larger photos take more memory than a page usually gets.
const MAX_PIXELS = 100e6;

// The upright image in a file, `{ data, width, height }` with RGBA pixels; transparency is blended with white.
export async function pixelsOf(file) {
  const bitmap = await bitmapOf(file);
  const { width, height } = bitmap;
  try {
    if (width * height > MAX_PIXELS) throw new Error(`${width} × ${height} pixels are too many: use a smaller copy`);
    const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false, willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    // A canvas larger than the browser allows stays black without an error.
    if (context.getImageData(width - 1, height - 1, 1, 1).data[0] !== 255) {
      throw new Error(`${width} × ${height} pixels are too many for this browser: use a smaller copy`);
    }
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height, { colorSpace: "srgb" });
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(file) {
  if (file.size === 0) throw new Error("empty file: choose another");
  try {
    // The program ignores colour profiles as well.
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Error("damaged, or not an image that this browser can decode: use JPEG or PNG");
  }
}
