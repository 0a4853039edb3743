//! Small images of every supported format and colour type, as seeds.

use std::fs;
use std::io::{self, Cursor};
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Bmp,
    ImageFormat::Gif,
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::Tiff,
    ImageFormat::WebP,
];

/// Writes the seeds into the folder that the fuzzer reads.
pub(crate) fn write() -> io::Result<()> {
    let folder = Path::new("seeds");
    fs::create_dir_all(folder)?;
    let colour = |x: u32, y: u32| Rgba([(x * 16) as u8, (y * 20) as u8, (x * y) as u8, 200]);
    let image = DynamicImage::from(RgbaImage::from_fn(16, 12, colour));
    let kinds: [(&str, DynamicImage); 6] = [
        ("grey", image.to_luma8().into()),
        ("grey16", image.to_luma16().into()),
        ("grey-alpha", image.to_luma_alpha8().into()),
        ("rgb", image.to_rgb8().into()),
        ("rgb16", image.to_rgb16().into()),
        ("rgba", image.clone()),
    ];
    for format in FORMATS {
        for (kind, image) in &kinds {
            let mut bytes = Cursor::new(Vec::new());
            // Not every format has every kind.
            if image.write_to(&mut bytes, format).is_ok() {
                let name = format!("{kind}.{}", format.extensions_str()[0]);
                #[expect(clippy::disallowed_methods, reason = "seeds can be written again")]
                fs::write(folder.join(name), bytes.into_inner())?;
            }
        }
    }
    Ok(())
}
