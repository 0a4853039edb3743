//! Character classes of one byte, the alphabet of the rules. Each ASCII character is its own class; the other classes are
//! those that the reference tokenizer distinguishes. It knows the first plane of Unicode 6.1.

use std::sync::LazyLock;

/// The classes beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Letter = 0x80,
    Digit,
    Mark,
    SoftHyphen,
    NoBreakSpace,
    Space,
    ZeroWidth,
    Apostrophe,
    OpenQuote,
    Quote,
    Hyphen,
    Dash,
    Comma,
    Stop,
    Ellipsis,
    Separator,
    Superscript,
    SuperSign,
    Subscript,
    Slash,
    Fraction,
    Currency,
    Symbol,
    /// Only the rules for addresses match it.
    Unknown,
}

/// The names of the classes in the rules.
pub(super) const CLASSES: &[(&str, Class)] = &[
    ("letter", Class::Letter),
    ("digit", Class::Digit),
    ("mark", Class::Mark),
    ("softhyphen", Class::SoftHyphen),
    ("nbsp", Class::NoBreakSpace),
    ("space", Class::Space),
    ("zerowidth", Class::ZeroWidth),
    ("apostrophe", Class::Apostrophe),
    ("openquote", Class::OpenQuote),
    ("quote", Class::Quote),
    ("hyphen", Class::Hyphen),
    ("dash", Class::Dash),
    ("comma", Class::Comma),
    ("stop", Class::Stop),
    ("ellipsis", Class::Ellipsis),
    ("separator", Class::Separator),
    ("superscript", Class::Superscript),
    ("supersign", Class::SuperSign),
    ("subscript", Class::Subscript),
    ("slash", Class::Slash),
    ("fraction", Class::Fraction),
    ("currency", Class::Currency),
    ("symbol", Class::Symbol),
];

/// Characters of words besides letters.
const MARKS: &str = r"[
        \u{2C2}-\u{2C5}\u{2D2}-\u{2DF}\u{2E5}-\u{2EB}\u{2ED}\u{2EF}-\u{36F}\u{375}
        \u{378}\u{379}\u{384}\u{385}\u{3F6}\u{483}-\u{487}\u{55A}-\u{55F}\u{591}-\u{5BD}\u{5BF}
        \u{5C1}\u{5C2}\u{5C4}\u{5C5}\u{5C7}\u{615}-\u{61A}\u{64B}-\u{65E}\u{670}\u{6D6}-\u{6E4}
        \u{6E7}-\u{6ED}\u{6FD}\u{6FE}\u{70F}\u{711}\u{730}-\u{74C}\u{7A6}-\u{7B0}\u{7EB}-\u{7F3}
        \u{900}-\u{903}\u{93C}\u{93E}-\u{94E}\u{951}-\u{955}\u{962}\u{963}\u{981}-\u{983}\u{9BC}
        \u{9BE}-\u{9C4}\u{9C7}\u{9C8}\u{9CB}-\u{9CD}\u{9D7}\u{9E2}\u{9E3}\u{A01}-\u{A03}\u{A3C}
        \u{A3E}-\u{A4F}\u{A81}-\u{A83}\u{ABC}\u{ABE}-\u{ACF}\u{B82}\u{BBE}-\u{BC2}\u{BC6}-\u{BC8}
        \u{BCA}-\u{BCD}\u{C01}-\u{C03}\u{C3E}-\u{C56}\u{D3E}-\u{D44}\u{D46}-\u{D48}\u{E31}
        \u{E34}-\u{E3A}\u{E47}-\u{E4E}\u{EB1}\u{EB4}-\u{EBC}\u{EC8}-\u{ECD}
    ]";

/// Symbols that are tokens.
const SYMBOLS: &str = r"[
        \u{A6}-\u{A9}\u{AC}\u{AE}-\u{B1}\u{B4}\u{B6}-\u{B8}\u{D7}\u{F7}\u{387}\u{5BE}\u{5C0}
        \u{5C3}\u{5C6}\u{5F3}\u{5F4}\u{600}-\u{603}\u{606}-\u{60A}\u{60C}\u{614}\u{61B}\u{61E}
        \u{66A}\u{66D}\u{703}-\u{70D}\u{7F6}-\u{7F8}\u{964}\u{965}\u{E4F}\u{1FBD}\u{2016}\u{2017}
        \u{2020}-\u{2023}\u{2030}-\u{2038}\u{203B}\u{203E}-\u{2042}\u{207A}-\u{207E}
        \u{208A}-\u{208E}\u{2100}\u{2101}\u{2103}-\u{2106}\u{2108}\u{2109}\u{2114}
        \u{2116}-\u{2118}\u{211E}-\u{2123}\u{2125}\u{2127}\u{2129}\u{212E}\u{213A}\u{213B}
        \u{2140}-\u{2144}\u{214A}-\u{214D}\u{214F}\u{2190}-\u{2BFF}\u{3012}\u{30FB}
        \u{FF01}-\u{FF0F}\u{FF1A}-\u{FF20}\u{FF3B}-\u{FF40}\u{FF5B}-\u{FF65}
    ]";

/// Letters. The Unicode category of a few has changed since the reference was made.
const LETTERS: &str = r"[
        [\p{L}\u{1885}\u{1886}&&\p{Age=6.1}&&[\x00-\u{FFFF}]]
        --[\u{19B0}-\u{19C0}\u{19C8}\u{19C9}\u{1CF2}\u{1CF3}]
    ]";

const DIGITS: &str = r"[\p{Nd}&&\p{Age=6.1}&&[\x00-\u{FFFF}]]";

/// The byte of a character's class: itself in ASCII.
pub(super) fn class(character: char) -> u8 {
    if character.is_ascii() { character as u8 } else { class_beyond_ascii(character) as u8 }
}

fn class_beyond_ascii(character: char) -> Class {
    match character {
        '\u{AD}' => Class::SoftHyphen,
        '\u{A0}' => Class::NoBreakSpace,
        '\u{2000}'..='\u{200A}' | '\u{3000}' => Class::Space,
        '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}' => Class::ZeroWidth,
        '\u{92}' | '’' => Class::Apostrophe,
        '\u{91}' | '‘' | '‛' => Class::OpenQuote,
        '\u{93}' | '\u{94}' | '«' | '»' | '‚' | '“'..='‟' | '‹' | '›' => Class::Quote,
        '\u{58A}' | '\u{2010}' | '\u{2011}' => Class::Hyphen,
        '\u{96}' | '\u{97}' | '\u{2013}'..='\u{2015}' => Class::Dash,
        '、' => Class::Comma,
        '¡'
        | '¿'
        | '\u{37E}'
        | '\u{589}'
        | '\u{61F}'
        | '\u{6D4}'
        | '\u{700}'..='\u{702}'
        | '。' => Class::Stop,
        '…' => Class::Ellipsis,
        '\u{66B}' | '\u{66C}' => Class::Separator,
        '²' | '³' | '¹' | '\u{2070}' | '\u{2074}'..='\u{2079}' => Class::Superscript,
        '\u{207A}' | '\u{207B}' | '\u{208A}' | '\u{208B}' => Class::SuperSign,
        '\u{2080}'..='\u{2089}' => Class::Subscript,
        '\u{2044}' => Class::Slash,
        '¼'..='¾' | '\u{2153}'..='\u{215E}' => Class::Fraction,
        '\u{80}'
        | '¢'..='¥'
        | '\u{60B}'
        | '\u{E3F}'
        | '\u{20A0}'
        | '\u{20A4}'
        | '€'
        | '\u{FFE0}'
        | '\u{FFE1}'
        | '\u{FFE5}'
        | '\u{FFE6}' => Class::Currency,
        _ => TABLES
            .iter()
            .find(|table| table.contains(character))
            .map_or(Class::Unknown, |table| table.class),
    }
}

/// A class that is defined by ranges.
struct Table {
    class: Class,
    ranges: Vec<(char, char)>,
}

/// Built when the first character needs them.
static TABLES: LazyLock<[Table; 4]> = LazyLock::new(|| {
    [
        (Class::Letter, LETTERS),
        (Class::Digit, DIGITS),
        (Class::Mark, MARKS),
        (Class::Symbol, SYMBOLS),
    ]
    .map(|(class, pattern)| Table { class, ranges: ranges(pattern) })
});

#[expect(clippy::expect_used, reason = "a test parses them")]
fn ranges(pattern: &str) -> Vec<(char, char)> {
    let parsed = regex_syntax::parse(&format!("(?x){pattern}"));
    match parsed.expect("the patterns are constants").kind() {
        regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            class.iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    }
}

impl Table {
    fn contains(&self, character: char) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= character);
        after > 0 && character <= self.ranges[after - 1].1
    }
}
