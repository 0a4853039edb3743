//! A longest-match scanner over a table of rules, like `lex`: of all rules that match at a position the longest match
//! wins, lookahead included; of equal matches the first.

use std::cell::RefCell;
use std::sync::LazyLock;

use regex_automata::hybrid::BuildError;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, HalfMatch, Input, MatchKind};

use super::classes::class;
use super::rules::{Action, RULES, Rule, expand};

/// The most characters of a token with its lookahead. The reference has no limit; without one, some texts without spaces take time
/// by the square of their length.
const WINDOW: usize = 1024;

/// The rules as two automata: one finds the rule, the other the length of its token.
struct Automata {
    whole: DFA,
    tokens: DFA,
}

/// The states of both automata that this thread has built.
struct Caches {
    whole: Cache,
    tokens: Cache,
}

#[expect(clippy::expect_used, reason = "a test builds them")]
static AUTOMATA: LazyLock<Automata> =
    LazyLock::new(|| Automata::new().expect("the table of rules is a constant"));

thread_local! {
    static CACHES: RefCell<Caches> = RefCell::new(Caches {
        whole: AUTOMATA.whole.create_cache(),
        tokens: AUTOMATA.tokens.create_cache(),
    });
}

impl Automata {
    fn new() -> Result<Self, Box<BuildError>> {
        let build = |pattern: fn(&Rule) -> String| {
            let patterns = RULES.iter().map(|rule| expand(&pattern(rule))).collect::<Vec<_>>();
            DFA::builder()
                .configure(Config::new().match_kind(MatchKind::All).starts_for_each_pattern(true))
                .syntax(syntax::Config::new().unicode(false).utf8(false).ignore_whitespace(true))
                .thompson(thompson::Config::new().utf8(false))
                .build_many(&patterns)
                .map_err(Box::new)
        };
        Ok(Self {
            whole: build(|rule| format!("(?:{})(?:{})", rule.token, rule.ahead))?,
            tokens: build(|rule| rule.token.to_owned())?,
        })
    }

    /// The rule that matches at the start of the classes, and the length of its token.
    fn first(&self, caches: &mut Caches, classes: &[u8]) -> Option<(&'static Rule, usize)> {
        let input = Input::new(classes).anchored(Anchored::Yes);
        let found = longest(&self.whole, &mut caches.whole, &input)?;
        let rule = &RULES[found.pattern().as_usize()];
        if rule.ahead.is_empty() {
            return Some((rule, found.offset()));
        }
        let matched = &classes[..found.offset()];
        let input = Input::new(matched).anchored(Anchored::Pattern(found.pattern()));
        let token = longest(&self.tokens, &mut caches.tokens, &input)?;
        Some((rule, token.offset()))
    }
}

/// The search fails only with configured limits, of which there are none.
fn longest(dfa: &DFA, cache: &mut Cache, input: &Input) -> Option<HalfMatch> {
    dfa.try_search_fwd(cache, input).ok().flatten()
}

/// The classes of a line, with their offsets in it; the classes of an ASCII line are its bytes.
enum Classes<'a> {
    Ascii(&'a [u8]),
    Mapped { classes: Vec<u8>, offsets: Vec<usize> },
}

impl<'a> Classes<'a> {
    fn new(line: &'a str) -> Self {
        if line.is_ascii() {
            return Self::Ascii(line.as_bytes());
        }
        let mut classes = Vec::with_capacity(line.len());
        let mut offsets = Vec::with_capacity(line.len() + 1);
        for (at, character) in line.char_indices() {
            // The reference counts UTF-16 units.
            for _ in 0..character.len_utf16() {
                classes.push(class(character));
                offsets.push(at);
            }
        }
        offsets.push(line.len());
        Self::Mapped { classes, offsets }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ascii(bytes) => bytes,
            Self::Mapped { classes, .. } => classes,
        }
    }

    fn offset(&self, at: usize) -> usize {
        match self {
            Self::Ascii(_) => at,
            Self::Mapped { offsets, .. } => offsets[at],
        }
    }
}

/// Calls `emit` with the action and the text of each token of a line; characters without a rule are skipped. The line
/// ends in `\n`, for rules with lookahead.
pub(super) fn scan(line: &str, mut emit: impl FnMut(Action, &str)) {
    let classes = Classes::new(line);
    let bytes = classes.bytes();
    CACHES.with_borrow_mut(|caches| {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if *byte == b' ' {
                at += 1;
                continue;
            }
            let window = &bytes[at..bytes.len().min(at + WINDOW)];
            let Some((rule, length)) = AUTOMATA.first(caches, window) else {
                at += 1;
                continue;
            };
            let end = at + rule.action.kept(length);
            emit(rule.action, &line[classes.offset(at)..classes.offset(end)]);
            at += rule.action.used(length);
        }
    });
}
