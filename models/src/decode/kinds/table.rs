//! All formats, by their file extensions and by their first bytes.

use super::{Kind, Reading};

const AS_JPEG: &str = "export it as JPEG";
const DEVELOP: &str = "develop it, and save it as JPEG";
const DRAW: &str = "export it as PNG";

const fn kind(
    name: &'static str,
    advice: &'static str,
    extensions: &'static [&'static str],
) -> Kind {
    Kind { name, reading: Reading::Never, advice, extensions }
}

const fn raw(name: &'static str, extensions: &'static [&'static str]) -> Kind {
    Kind { reading: Reading::Preview, ..kind(name, DEVELOP, extensions) }
}

const fn by_libheif(name: &'static str, extensions: &'static [&'static str]) -> Kind {
    Kind { reading: Reading::Libheif, ..kind(name, AS_JPEG, extensions) }
}

pub(super) const HEIC: Kind = by_libheif("HEIC", &["heic", "heif", "hif", "heics", "heifs"]);
pub(super) const AVIF: Kind = by_libheif("AVIF", &["avif", "avifs"]);
const JPEG_XL: Kind = kind("JPEG XL", AS_JPEG, &["jxl"]);
pub(super) const JPEG_2000: Kind =
    kind("JPEG 2000", AS_JPEG, &["jp2", "j2k", "jpf", "jpx", "jpm", "j2c", "jpc"]);
const JPEG_XR: Kind = kind("JPEG XR", AS_JPEG, &["jxr", "hdp", "wdp"]);
const JPEG_LS: Kind = kind("JPEG-LS", AS_JPEG, &["jls"]);
const BIG_TIFF: Kind = kind("BigTIFF", "save it as TIFF or JPEG", &["btf", "tf8"]);
pub(super) const DNG: Kind = raw("DNG raw photo", &["dng"]);
pub(super) const CANON: Kind = raw("Canon raw photo", &["cr2"]);
pub(super) const CANON_OTHER: Kind = kind("Canon raw photo", DEVELOP, &["cr3", "crw"]);
pub(super) const NIKON: Kind = raw("Nikon raw photo", &["nef", "nrw"]);
pub(super) const SONY: Kind = raw("Sony raw photo", &["arw", "sr2", "srf"]);
const OLYMPUS: Kind = kind("Olympus raw photo", DEVELOP, &["orf", "ori"]);
const PANASONIC: Kind = kind("Panasonic or Leica raw photo", DEVELOP, &["rw2", "rwl"]);
const FUJIFILM: Kind = kind("Fujifilm raw photo", DEVELOP, &["raf"]);
pub(super) const PENTAX: Kind = raw("Pentax raw photo", &["pef"]);
pub(super) const SAMSUNG: Kind = raw("Samsung raw photo", &["srw"]);
const SIGMA: Kind = kind("Sigma raw photo", DEVELOP, &["x3f"]);
const MINOLTA: Kind = kind("Minolta raw photo", DEVELOP, &["mrw"]);
pub(super) const RAW: Kind =
    raw("raw photo", &["3fr", "fff", "iiq", "mef", "mos", "erf", "dcr", "kdc", "gpr"]);
const RAW_OTHER: Kind = kind("raw photo", DEVELOP, &["raw"]);
const PHOTOSHOP: Kind = kind("Photoshop document", AS_JPEG, &["psd", "psb"]);
const GIMP: Kind = kind("GIMP document", AS_JPEG, &["xcf"]);
const PDF: Kind = kind("PDF document", "export its pages as PNG", &["pdf"]);
const POSTSCRIPT: Kind = kind("PostScript document", DRAW, &["eps"]);
pub(super) const SVG: Kind = kind("SVG drawing", DRAW, &["svg", "svgz"]);
const ICON: Kind = kind("icon", DRAW, &["ico", "cur", "icns"]);
const EXR: Kind = kind("OpenEXR image", AS_JPEG, &["exr"]);
const RADIANCE: Kind = kind("Radiance HDR image", AS_JPEG, &["hdr"]);
pub(super) const NETPBM: Kind = kind("Netpbm image", DRAW, &["pbm", "pgm", "ppm", "pnm", "pam"]);
pub(super) const TARGA: Kind = kind("Targa image", DRAW, &["tga"]);
const DDS: Kind = kind("DirectDraw surface", DRAW, &["dds"]);
const QOI: Kind = kind("QOI image", DRAW, &["qoi"]);
const FARBFELD: Kind = kind("farbfeld image", DRAW, &["ff"]);
const MNG: Kind = kind("MNG or JNG image", DRAW, &["mng", "jng"]);
pub(super) const DICOM: Kind = kind("DICOM image", DRAW, &["dcm"]);
pub(super) const VIDEO: Kind = kind("video", "save one of its pictures as JPEG", &[]);

/// Formats by file extension.
pub(super) const KINDS: [Kind; 35] = [
    HEIC,
    AVIF,
    JPEG_XL,
    JPEG_2000,
    JPEG_XR,
    JPEG_LS,
    BIG_TIFF,
    DNG,
    CANON,
    CANON_OTHER,
    NIKON,
    SONY,
    OLYMPUS,
    PANASONIC,
    FUJIFILM,
    PENTAX,
    SAMSUNG,
    SIGMA,
    MINOLTA,
    RAW,
    RAW_OTHER,
    PHOTOSHOP,
    GIMP,
    PDF,
    POSTSCRIPT,
    SVG,
    ICON,
    EXR,
    RADIANCE,
    NETPBM,
    TARGA,
    DDS,
    QOI,
    MNG,
    DICOM,
];

/// Magic bytes of formats.
pub(super) const BEGINNINGS: &[(&[u8], Kind)] = &[
    (b"\xFF\x0A", JPEG_XL),
    (b"\0\0\0\x0CJXL \r\n\x87\n", JPEG_XL),
    (b"\0\0\0\x0CjP  \r\n\x87\n", JPEG_2000),
    (b"\xFF\x4F\xFF\x51", JPEG_2000),
    (b"II\xBC", JPEG_XR),
    (b"\xFF\xD8\xFF\xF7", JPEG_LS),
    (b"II\x2B\0", BIG_TIFF),
    (b"MM\0\x2B", BIG_TIFF),
    (b"IIRO", OLYMPUS),
    (b"IIRS", OLYMPUS),
    (b"MMOR", OLYMPUS),
    (b"IIU\0", PANASONIC),
    (b"FUJIFILMCCD-RAW", FUJIFILM),
    (b"FOVb", SIGMA),
    (b"\0MRM", MINOLTA),
    (b"II\x1A\0\0\0HEAPCCDR", CANON_OTHER),
    (b"8BPS", PHOTOSHOP),
    (b"gimp xcf", GIMP),
    (b"%PDF-", PDF),
    (b"%!PS", POSTSCRIPT),
    (b"\xC5\xD0\xD3\xC6", POSTSCRIPT),
    (b"\0\0\x01\0", ICON),
    (b"\0\0\x02\0", ICON),
    (b"icns", ICON),
    (b"\x76\x2F\x31\x01", EXR),
    (b"#?RADIANCE", RADIANCE),
    (b"#?RGBE", RADIANCE),
    (b"DDS ", DDS),
    (b"qoif", QOI),
    (b"farbfeld", FARBFELD),
    (b"\x8AMNG\r\n\x1A\n", MNG),
    (b"\x8BJNG\r\n\x1A\n", MNG),
    (b"\x1A\x45\xDF\xA3", VIDEO),
];
