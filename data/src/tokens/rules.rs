//! The rules of the Penn Treebank tokens, in the conventions of the reference tokenizer
//! (`PTBTokenizer` of Stanford's `CoreNLP` 3.4.1), found by comparing with it.

use std::sync::LazyLock;

use super::classes::{CLASSES, Class};

/// A rule: the pattern of a token, the pattern that must follow, and the action.
pub(super) struct Rule {
    pub(super) token: &'static str,
    pub(super) ahead: &'static str,
    pub(super) action: Action,
}

/// The action on the matched text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The text is the token.
    Keep,
    /// The text is space, not a token.
    Skip,
    /// The text is replaced by this token.
    Become(&'static str),
    /// Quotes, fractions and currencies are written in ASCII; soft hyphens are removed.
    Spell,
    /// Spaces inside become no-break spaces.
    Join,
    /// Like `Join`; round brackets are replaced by their names.
    Bind,
    /// The token is without the last bytes, which are scanned again.
    Split(usize),
    /// The token keeps its period, which is scanned again as the end of a sentence.
    Abbreviation,
    /// Like an abbreviation, but a single letter loses its period.
    Acronym,
}

impl Action {
    /// The number of bytes of a match that form the token.
    pub(super) fn kept(self, length: usize) -> usize {
        match self {
            Self::Split(again) => length - again,
            Self::Acronym if length == 2 => 1,
            _ => length,
        }
    }

    /// The number of bytes of a match that are consumed; the rest is scanned again.
    pub(super) fn used(self, length: usize) -> usize {
        match self {
            Self::Split(again) => length - again,
            Self::Abbreviation | Self::Acronym => length - 1,
            _ => length,
        }
    }
}

/// Definitions that rules and later definitions use in braces. Letters ignore case only inside `(?i:…)`.
const DEFINITIONS: &[(&str, &str)] = &[
    ("L", r"[A-Za-z{letter}]"),
    ("LD", r"[A-Za-z0-9{letter}{digit}]"),
    ("D", r"[0-9{digit}]"),
    ("AD", r"[A-Za-z0-9]"),
    ("LETTER", r"[A-Za-z{letter}{mark}{softhyphen}]|(?i:&[aeiou](?:acute|grave|uml);)"),
    ("SPACE", r"[\ \t{nbsp}{space}]"),
    ("BLANK", r"[\ \t\n{nbsp}{space}]"),
    ("APOS", r"['{apostrophe}]|(?i:&apos;)"),
    ("TICK", r"{APOS}|[`{openquote}]"),
    ("COMMA", r"[,;:{comma}]"),
    // Words: `dog`, `running.fast`; the clitics `'s` and `n't`.
    ("PART", r"{LETTER}(?:{LETTER}|{D})*"),
    ("WORD", r"{PART}(?:[.!?]{PART})*"),
    ("CLITIC", r"{APOS}(?:[dmsDMS]|(?i:ll|re|ve))"),
    ("NOT", r"(?i:n){TICK}(?i:t)"),
    ("BEFORENOT", r"[A-Za-z{softhyphen}]*[A-MO-Za-mo-z]{softhyphen}*"),
    // Letters with periods: `U.S`, `p.m`.
    (
        "LETTERS",
        r"[A-Za-z](?:\.[A-Za-z])+
        |(?i:canada|eu|japan|korean|non|sino)-(?i:u\.s)|(?i:u\.s\.-u\.(?:k|s\.s\.r))",
    ),
    // Compounds: `o'clock`, `well-known`, `3.5-inch`, `AT&T`, `red/white`.
    ("COMPOUND", r"(?:[dloDLO]{TICK}{LD})?{LD}+(?:[-_{hyphen}](?:[dloDLO]{TICK}{LD})?{LD}+)*"),
    ("HYPHENED", r"{AD}(?:{AD}|[.,{softhyphen}])*(?:-(?:(?:{AD}|{softhyphen})+|{LETTERS}\.))+"),
    ("JOINED", r"[A-Z]+(?:(?:[+&]|(?i:&amp;))[A-Z]+)+"),
    ("SIDE", r"{AD}+(?:-[A-Za-z]+){0,2}"),
    // Abbreviations: before a lower-case word; before a name; only before a number.
    (
        "ABBREVIATION",
        r"(?:(?i:
            al|ala|apr|ariz|assn|aug|bancorp|bhd|bldg|blvd|bros|calif|cos?|colo|conn|corp|ct|dak|
            dec|ed\.d|esq|est|etc|ext|feb|fla|fri|ga|inc|ind|intl|jan|jr|jul|jun|kans?|ky|ltd|mar|
            md|mich|minn|mon?|mont|neb|nev|nov|oct|okla|penn|ph\.d|plc|rd|rt|sept?|seq|sq|sr|sys|
            tel|tenn|thu|thurs|tues?|univ|va|vt|wed|wisc?|wyo
        )|A(?i:rk|z)|D(?i:el)|I(?i:ll)|L(?i:a)|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash)
        |(?i:pp?t)[ey](?i:s?))\.",
    ),
    (
        "TITLE",
        r"[A-Za-z]|{LETTERS}|M(?i:iss)|[Mm][ft][Gg]|(?i:
            a\.k\.a|adj|adm|adv|alex|assoc|asst|attys?|ave|brig|capt|cf|cie|cmdr|col|comdr|cpl|
            dept|det|drs?|elec|ens|ft|gen|govs?|hon|insp|invt|jos|lieut|lt|maj|messrs|mlle|mme|mrs?|
            ms|msgr|mt|natl|pfc|ph|pres|profs?|pvt|reps?|rev|sens?|sfc|sgt|spc|ste?|supts?|treas|
            vs|wm
        )",
    ),
    ("NUMBERED", r"(?i:art|bldg|ca|figs?|nos?|op|pp|prop)\."),
    // Mark-up: `<br/>`, `<a href='x'>`.
    ("NAME", r"[A-Za-z][A-Za-z0-9_:.\-]*"),
    ("VALUE", r#"'[^'\r\n]*'|"[^"\r\n]*""#),
    ("ATTRIBUTE", r"{NAME}(?:\x20*=\x20*{VALUE})?"),
    ("TAG", r"<(?:[!?][A-Za-z\-][^>\r\n]*|{NAME}(?:\x20+{ATTRIBUTE})*\x20*/?|/{NAME})\x20*>"),
    // Words that begin a sentence after an abbreviation.
    (
        "OPENING",
        r"A(?i:bout|ccording|dditionally|fter|n|s|t)?|B(?i:ut)|E(?i:arlier)
        |H(?i:e|ere?|owever)|I(?i:f|n|t)|L(?i:ast)|M(?i:any|ore|[rs]\.)|N(?i:ow)
        |O(?i:nce|ne|ther|ur)|S(?i:he|ince|o|ome|uch)
        |T(?i:hat|he|heir|hen|here|hese|hey|his)|W(?i:e|hat|hen|hile)|Y(?i:et|ou)|{TAG}",
    ),
    ("SENTENCE", r"{BLANK}(?:{BLANK}|[A-Z]|{TAG})"),
    // Addresses: their characters, and their last character.
    ("WEB", r#"[^\ \t\n\r"<>|()]"#),
    ("URL", r#"[^\ \t\n\r"<>|(){}]"#),
    ("WEBEND", r#"[^\ \t\n\r"<>|.!?(){},\-]"#),
    ("HOST", r#"[^\ \t\n\r"<>|.!?(){},]+\."#),
    ("PLAINHOST", r#"[^\ \t\n\r"`'<>|.!?(){},-_$]+\."#),
    ("MAIL", r#"[^\ \t\n\r"<>|(){}{nbsp}]"#),
    ("MAILHOST", r#"[^\ \t\n\r"<>|(){}.{nbsp}]+"#),
    ("FACE", r"[\-\^x=~<>']"),
    // Numbers.
    ("NUMBER", r"{D}+|{D}*(?:[.:,{softhyphen}{separator}]{D}+)+"),
    ("AREA", r"[0-9]{2,4}"),
    ("GAP", r"[\ \-{nbsp}]"),
    (
        "FILE",
        r"(?:{LETTER}|{D})+(?:\.(?:{LETTER}|{D})+)*\.(?i:
            bat|bmp|c|cgi|class|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|
            png|ppt|ps|py|sql|tar|txt|wav|xml|x|zip
        )",
    ),
];

/// Expands the names in a pattern.
pub(super) fn expand(pattern: &str) -> String {
    static EXPANDED: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let byte = |class: Class| format!(r"\x{:02X}", class as u8);
        let classes = CLASSES.iter().map(|(name, class)| (format!("{{{name}}}"), byte(*class)));
        let mut done = classes.collect::<Vec<_>>();
        for (name, definition) in DEFINITIONS {
            done.push((format!("{{{name}}}"), format!("(?:{})", replace(definition, &done))));
        }
        done
    });
    replace(pattern, &EXPANDED)
}

fn replace(pattern: &str, names: &[(String, String)]) -> String {
    names.iter().fold(pattern.to_owned(), |pattern, (name, group)| pattern.replace(name, group))
}

const fn rule(token: &'static str, action: Action) -> Rule {
    Rule { token, ahead: "", action }
}

const fn before(token: &'static str, ahead: &'static str, action: Action) -> Rule {
    Rule { token, ahead, action }
}

/// All rules; of two matches of equal length the first wins.
pub(super) const RULES: &[Rule] = &[
    rule(r"(?i:c\+\+|[cf]\#)", Action::Keep),
    // Contractions: can|not, 't|was, gon|na.
    rule(r"(?i:cannot|'twas)", Action::Split(3)),
    rule(r"(?i:gimme|gonna|gotta|lemme|'tis|wanna)", Action::Split(2)),
    rule(r"{TAG}", Action::Join),
    rule(r"(?i:&(?:md|mdash|ndash);)|{dash}", Action::Become("--")),
    rule(r"(?i:&amp;)", Action::Become("&")),
    rule(r"(?i:&(?:ht|lr|odq|cdq|q[clr]|tl|ur|\#[0-9]+);)", Action::Keep),
    // dog|'s, is|n't, and plain words.
    before(r"{WORD}", r"{CLITIC}", Action::Spell),
    before(r"{BEFORENOT}", r"{NOT}", Action::Spell),
    rule(r"{WORD}", Action::Spell),
    // Words with an apostrophe: 'n', l', ol', 'em, O'Neil, '90s, Hallowe'en, s'mores, y'|all.
    rule(r"{APOS}(?i:n){APOS}?|[dljDLJ]{APOS}", Action::Keep),
    rule(r"(?i:dunkin|ol|somethin){APOS}|{APOS}(?i:cause|em|till?)", Action::Keep),
    rule(r"[A-HJ-XZn]{TICK}{L}{2,}|{APOS}[2-9]0(?i:s)", Action::Keep),
    rule(r"{L}+[aeiouyAEIOUY]{TICK}[aeiouA-Z]{L}*", Action::Keep),
    rule(r"(?i:c'mon|cont'd\.?|e'er|ev'ry|li'l|nat'l|nor'easter|s'mores)", Action::Keep),
    before(r"(?i:y){APOS}", r"{L}", Action::Keep),
    // Addresses and names on the web.
    rule(r"(?i:https?://){URL}+{WEBEND}", Action::Keep),
    rule(
        r"(?:(?i:www)\.{HOST}+[a-zA-Z]{2,4}|{PLAINHOST}+(?i:com|edu|net|org))(?:/{WEB}+{WEBEND})?",
        Action::Keep,
    ),
    rule(r"(?:<|(?i:&lt;))?{AD}{MAIL}*@(?:{MAILHOST}\.)*{MAILHOST}(?:>|(?i:&gt;))?", Action::Keep),
    rule(r"@[a-zA-Z_][a-zA-Z_0-9]*|\#{LETTER}+", Action::Keep),
    before(r"{CLITIC}", r"[^A-Za-z]", Action::Spell),
    rule(r"{NOT}", Action::Spell),
    // Numbers: 12/25/2010, -3,000.5, 10:30, x|², 1 1/2, ½, $, €.
    rule(r"{D}{1,2}[/\-]{D}{1,2}[/\-]{D}{2,4}", Action::Keep),
    rule(r"[+\-]?{NUMBER}", Action::Spell),
    rule(r"{supersign}?(?:{superscript}+|{subscript}+)", Action::Keep),
    rule(r"(?:{D}{1,4}{GAP})?{D}{1,4}(?:\\?/|{slash}){D}{1,4}", Action::Join),
    rule(r"{fraction}", Action::Spell),
    // Words that are one token in the treebank.
    rule(r"-(?i:[lr][crs]b)-|(?i:anti-|c\.d\.s|pro-)", Action::Keep),
    rule(r"(?i:s(?:&|&amp;)(?:ls|p-500))", Action::Spell),
    rule(r"(?i:cap){APOS}(?i:n)|(?i:c){APOS}(?i:est)", Action::Keep),
    rule(r"{SIDE}(?:\\?/{SIDE}){1,2}", Action::Keep),
    rule(r"[A-Z]*\$|\#", Action::Keep),
    rule(r"{currency}", Action::Spell),
    // Abbreviations, and the period that also ends a sentence.
    before(r"(?:{LETTERS}|[A-Za-z])\.", r"{SPACE}+{OPENING}{BLANK}", Action::Acronym),
    before(r"{NUMBERED}", r"{BLANK}?{D}", Action::Keep),
    before(r"(?i:co|pt[ey])\.", r"{SPACE}(?i:ltd)", Action::Keep),
    before(r"{ABBREVIATION}", r"{SENTENCE}", Action::Abbreviation),
    before(r"{ABBREVIATION}", r"(?s:..)", Action::Keep),
    rule(r"{ABBREVIATION}", Action::Abbreviation),
    rule(r"{TITLE}\.", Action::Keep),
    before(r"{TITLE}", r"{SPACE}", Action::Keep),
    before(r"{LETTERS}", r"{BLANK}", Action::Keep),
    before(r"{APOS}[0-9][0-9]", r"{BLANK}", Action::Keep),
    before(r"{FILE}", r"{BLANK}|[.?!,]", Action::Keep),
    before(r"{WORD}\.", r"{COMMA}", Action::Spell),
    // Telephone numbers: (212) 555-1234, 212.555.1234.
    rule(
        r"(?:\([0-9]{2,3}\)[\ {nbsp}]?|(?:\+\+?)?(?:{AREA}{GAP})?{AREA}{GAP})[0-9]{3,4}{GAP}?[0-9]{3,5}",
        Action::Bind,
    ),
    rule(r"(?:(?:\+\+?)?{AREA}\.)?{AREA}\.[0-9]{3,4}\.[0-9]{3,5}", Action::Bind),
    rule(r#""|(?i:&quot;)"#, Action::Spell),
    rule(r"<|(?i:&lt;)", Action::Become("<")),
    rule(r">|(?i:&gt;)", Action::Become(">")),
    // Faces: :-) and ^_^
    before(r"[<>]?[:;=][\-o*']?[()DPdpO\\{@|\[\]]", r"[^A-Za-z0-9]", Action::Bind),
    rule(r"{FACE}_{FACE}|\({FACE}[_.]?{FACE}\)", Action::Bind),
    rule(r"\([\^x=~<>']-[\^x=~<>'`]\)", Action::Bind),
    // Brackets and punctuation.
    rule(r"\{", Action::Become("-lcb-")),
    rule(r"\}", Action::Become("-rcb-")),
    rule(r"\[", Action::Become("-lsb-")),
    rule(r"\]", Action::Become("-rsb-")),
    rule(r"\(", Action::Become("-lrb-")),
    rule(r"\)", Action::Become("-rrb-")),
    rule(r"-{3,4}", Action::Become("--")),
    rule(r"-+", Action::Keep),
    rule(r"\.{3,5}|(?:\.[\ {nbsp}]){2,4}\.|{ellipsis}", Action::Become("...")),
    rule(r"@+|\#+|_+|\*+|(?:\\\*){1,3}", Action::Keep),
    rule(r"{COMMA}|[?!]+|[.{stop}]|=|/", Action::Keep),
    before(r"{HYPHENED}\.", r"{COMMA}", Action::Spell),
    rule(r"{HYPHENED}", Action::Spell),
    before(r"{COMPOUND}\.", r"{COMMA}", Action::Keep),
    rule(r"{COMPOUND}", Action::Keep),
    before(r"{JOINED}\.", r"{COMMA}", Action::Spell),
    rule(r"{JOINED}", Action::Spell),
    // Quotes, and clitics without a word.
    before("'", r"[A-Za-z][^\ \t\n\r{nbsp}]", Action::Become("`")),
    rule(r"{CLITIC}", Action::Spell),
    rule(r"{APOS}|''|[`{apostrophe}{openquote}{quote}]{1,2}", Action::Spell),
    rule(r"<<|>>|[+%&~^|\\{symbol}{slash}{supersign}]", Action::Keep),
    rule(r"\x00|{BLANK}|{zerowidth}|(?i:&nbsp;)", Action::Skip),
];
