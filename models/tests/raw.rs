//! Raw photos of cameras, with previews that `ExifTool` writes into them.
use std::fs;
use std::process::Command;

use image::{Rgb, RgbImage};
use models::{Limits, decode};

#[test]
fn previews_of_cameras_are_decoded_upright() {
    let Some(exiftool) = tests::metadata_reader("exiftool") else { return };
    let Some(samples) = tests::camera_samples() else { return };
    let folder = tempfile::tempdir().unwrap();
    let jpeg = folder.path().join("preview.jpg");
    RgbImage::from_pixel(640, 520, Rgb([140, 90, 20])).save(&jpeg).unwrap();
    for (name, tag) in
        [("CanonRaw.cr2", "PreviewImage"), ("DNG.dng", "PreviewImage"), ("Nikon.nef", "JpgFromRaw")]
    {
        let raw = folder.path().join(name);
        fs::copy(samples.join(name), &raw).unwrap();
        for (change, size) in [
            (format!("-{tag}<={}", jpeg.display()), (640, 520)),
            ("-IFD0:Orientation#=6".to_owned(), (520, 640)),
        ] {
            let mut command = Command::new(&exiftool);
            command.args(["-m", "-q", "-overwrite_original", &change]).arg(&raw);
            assert!(command.output().unwrap().status.success(), "{name}");
            let image = decode(&fs::read(&raw).unwrap(), &Limits::default()).unwrap();
            assert_eq!(image.dimensions(), size, "{name}");
            assert!(image.get_pixel(9, 9)[0].abs_diff(140) < 4, "{name}");
        }
    }
}
