//! Images without alternative text in HTML and Markdown documents: where they are, which files they name, and the document with
//! texts for them.
//!
//! HTML is read by `html5gum`, the tokenizer of the WHATWG standard, and Markdown by `pulldown-cmark` (`CommonMark` with the
//! tables, footnotes, task lists and strikethrough of GitHub). A filled document differs from the original in the texts alone:
//! every other byte stays, in damaged HTML too.
//!
//! An image is an `<img>`, also in Markdown, or a Markdown image, inline or by reference. Not handled: `<input type="image">`,
//! `<area>`, `<svg>`, `<image>`, `<object>`, backgrounds of style sheets, wiki links (`![[a.png]]`), MDX and other languages
//! with Markdown in them. An `<img>` in `<template>` or `<noscript>` is an image like others. `aria-hidden` and `role` of the
//! elements around an image are not looked at.

mod document;
mod escape;
mod format;
mod html;
mod image;
mod links;
mod location;
mod markdown;

pub use self::document::Document;
pub use self::format::Format;
pub use self::image::{Alt, Image, Obstacle};
pub use self::location::Location;
