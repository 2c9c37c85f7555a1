//! How large a program may be, decided on its tokens before anything recurses over it.
//!
//! The parser bounds its own recursion, but a flat chain such as `1+1+…` costs it
//! no depth and still becomes a tree as high as the chain is long. The planner
//! recurses over that tree and would overflow its stack, which ends the process.

use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// The longest program, all files together, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;

/// The most tokens of a program, white space and comments not counted.
pub(super) const TOKENS_MAX: usize = 250_000;

/// The deepest nesting of parentheses, brackets, braces and `CASE`.
const NESTING_MAX: usize = 64;

/// The highest tree: operators between two commas or clauses plus those of the
/// highest tree nested among them.
pub(super) const HEIGHT_MAX: usize = 500;

/// The deepest type: rows in arrays in rows. Everything that handles values
/// recurses over their types.
pub(super) const TYPE_DEPTH_MAX: usize = 32;

/// The most attempts that the parser may need for a parenthesis that begins
/// with `SELECT`: it tries each of the parentheses around it in two ways.
const ATTEMPTS_MAX: usize = 4_096;

/// How many errors are collected before the rest of a program is passed over.
pub(super) const DIAGNOSTICS_MAX: usize = 100;

/// The stack of the thread that parses and plans, in bytes: what the limits let
/// through needs a fraction of it, also in a debug build.
pub(super) const STACK_BYTES: usize = 256 << 20;

/// How deep the parser may recurse: several levels for each one of nesting.
pub(super) const RECURSION_MAX: usize = 2_000;

/// Why a statement is too large, and where it became so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// The token that is too many.
    pub location: Location,
    /// What there is too much of.
    pub message: &'static str,
    /// What to write instead.
    pub hint: &'static str,
}

/// The height of one statement's tree, at most [`HEIGHT_MAX`].
pub(super) fn height(tokens: &[TokenWithSpan]) -> Result<usize, Excess> {
    let mut measure = Measure {
        levels: vec![Level::default()],
        previous: Role::Clause,
    };
    for token in tokens {
        measure.token(token)?;
    }
    Ok(measure.level().height())
}

/// What a token is to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A name, a literal, or a word that neither raises nor ends a tree.
    Operand,
    /// Adds a node above what stands before it.
    Operator,
    /// Adds a relation above the ones before it.
    Relation,
    /// Begins a clause, so that a new tree begins.
    Clause,
    Comma,
    Period,
    Open,
    Close,
    Case,
    End,
    /// `WHEN`, `THEN`, `ELSE`.
    Branch,
    /// `DISTINCT`, `WITHIN` and the like: the next word is theirs, though it may
    /// look like a clause (`IS DISTINCT FROM`, `WITHIN GROUP`).
    Bound,
    /// `WITH`, which begins a query only behind a parenthesis.
    With,
}

/// The trees inside one pair of parentheses.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    is_case: bool,
    /// Operators of the tree that is being read.
    operators: usize,
    /// Joins and set operations so far.
    relations: usize,
    /// The highest level nested in the tree that is being read.
    nested: usize,
    /// The highest tree that has been read.
    highest: usize,
    /// How many parentheses stand in a row up to this one.
    run: usize,
    /// Attempts that the parser may need for what is inside.
    attempts: usize,
}

impl Level {
    fn end_tree(&mut self) {
        self.highest = self.highest.max(self.operators + self.nested);
        self.operators = 0;
        self.nested = 0;
    }

    fn height(&self) -> usize {
        self.highest.max(self.operators + self.nested) + self.relations
    }
}

struct Measure {
    levels: Vec<Level>,
    previous: Role,
}

impl Measure {
    fn token(&mut self, token: &TokenWithSpan) -> Result<(), Excess> {
        let location = token.span.start;
        let role = self.role(&token.token);
        let after_open = self.previous == Role::Open;
        match role {
            Role::Open => self.open(false, after_open, location)?,
            Role::Case => self.open(true, false, location)?,
            Role::Close => self.close(location)?,
            Role::End if self.level().is_case => self.close(location)?,
            Role::Operator => self.level().operators += 1,
            Role::Relation => self.level().relations += 1,
            Role::Comma => self.level().end_tree(),
            Role::Branch if self.level().is_case => self.level().end_tree(),
            Role::With if after_open => self.subquery(location)?,
            Role::Clause if !self.level().is_case => {
                self.level().end_tree();
                if after_open {
                    self.subquery(location)?;
                }
            }
            _ => {}
        }
        if token.token == Token::LBracket {
            self.level_above().operators += 1;
        }
        self.previous = role;
        if self.level().height() > HEIGHT_MAX {
            return Err(too_high(location));
        }
        Ok(())
    }

    fn role(&self, token: &Token) -> Role {
        let Token::Word(word) = token else {
            return role_of_symbol(token);
        };
        // Behind an operator or a period even a key word is a name.
        let is_name = matches!(self.previous, Role::Operator | Role::Period);
        match role_of_keyword(word.keyword) {
            Role::Clause if self.previous == Role::Bound => Role::Operand,
            Role::Case if self.previous != Role::Period => Role::Case,
            Role::Operator if self.previous != Role::Period => Role::Operator,
            _ if word.quote_style.is_some() || is_name => Role::Operand,
            role => role,
        }
    }

    fn level(&mut self) -> &mut Level {
        self.levels
            .last_mut()
            .expect("the outermost level is never closed")
    }

    /// The level in which the innermost one was opened.
    fn level_above(&mut self) -> &mut Level {
        let above = self.levels.len().saturating_sub(2);
        &mut self.levels[above]
    }

    fn open(&mut self, is_case: bool, in_row: bool, location: Location) -> Result<(), Excess> {
        if self.levels.len() > NESTING_MAX {
            return Err(Excess {
                location,
                message: "parentheses, brackets and CASE are nested more than 64 deep",
                hint: "give the inner part a name with CREATE VIEW",
            });
        }
        let outer = *self.level();
        self.levels.push(Level {
            is_case,
            run: if in_row { outer.run + 1 } else { 1 },
            attempts: outer.attempts.max(1),
            ..Level::default()
        });
        Ok(())
    }

    fn close(&mut self, location: Location) -> Result<(), Excess> {
        if self.levels.len() == 1 {
            // One parenthesis too many: the parser says it better.
            return Ok(());
        }
        let height = self.level().height() + 1;
        self.levels.pop();
        let outer = self.level();
        outer.nested = outer.nested.max(height);
        if outer.height() > HEIGHT_MAX {
            return Err(too_high(location));
        }
        Ok(())
    }

    /// A parenthesis that begins with `SELECT`.
    fn subquery(&mut self, location: Location) -> Result<(), Excess> {
        let level = self.level();
        level.attempts = level.attempts.saturating_mul(level.run);
        if level.attempts > ATTEMPTS_MAX {
            return Err(Excess {
                location,
                message: "queries in several parentheses are nested too deep",
                hint: "leave out the extra parentheses, or give the inner query a name with WITH",
            });
        }
        Ok(())
    }
}

fn too_high(location: Location) -> Excess {
    Excess {
        location,
        message: "the expression has more than 500 operators, nested ones included",
        hint: "use IN (…) for many alternatives, or compute parts of it in a view",
    }
}

fn role_of_symbol(token: &Token) -> Role {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Role::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Role::Close,
        Token::Comma => Role::Comma,
        Token::Period => Role::Period,
        Token::EOF
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_)
        | Token::SemiColon => Role::Operand,
        // Every other symbol is an operator of some dialect.
        _ => Role::Operator,
    }
}

fn role_of_keyword(keyword: Keyword) -> Role {
    match keyword {
        Keyword::AND
        | Keyword::OR
        | Keyword::XOR
        | Keyword::NOT
        | Keyword::IS
        | Keyword::NOTNULL
        | Keyword::IN
        | Keyword::LIKE
        | Keyword::ILIKE
        | Keyword::RLIKE
        | Keyword::REGEXP
        | Keyword::SIMILAR
        | Keyword::BETWEEN
        | Keyword::OVERLAPS
        | Keyword::DIV
        | Keyword::AT
        | Keyword::COLLATE
        | Keyword::INTERVAL
        | Keyword::EXISTS
        | Keyword::PRIOR
        | Keyword::PIVOT
        | Keyword::UNPIVOT
        | Keyword::MATCH_RECOGNIZE => Role::Operator,
        Keyword::UNION
        | Keyword::EXCEPT
        | Keyword::INTERSECT
        | Keyword::MINUS
        | Keyword::JOIN
        | Keyword::APPLY => Role::Relation,
        Keyword::SELECT
        | Keyword::VALUES
        | Keyword::FROM
        | Keyword::WHERE
        | Keyword::GROUP
        | Keyword::HAVING
        | Keyword::ORDER
        | Keyword::WINDOW
        | Keyword::QUALIFY
        | Keyword::ON => Role::Clause,
        Keyword::CASE => Role::Case,
        Keyword::END => Role::End,
        Keyword::WHEN | Keyword::THEN | Keyword::ELSE => Role::Branch,
        Keyword::DISTINCT
        | Keyword::WITHIN
        | Keyword::ZONE
        | Keyword::TO
        | Keyword::ANY
        | Keyword::SOME => Role::Bound,
        Keyword::WITH => Role::With,
        _ => Role::Operand,
    }
}
