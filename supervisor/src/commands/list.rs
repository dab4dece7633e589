//! A list of commands for the parser, which can be given one row of it alone.
//!
//! The parser's own derivation makes every option of every command at each call, which is a third of what a short command
//! costs. Deliberately absent: the list (`commands`), and what a command takes, which is derived where it is defined.

use clap::Command;

/// A row for the parser. Not inlined: the one function of all rows would keep room for each of them on its stack, a hundred KiB.
#[inline(never)]
pub(super) fn row<A: clap::Args>(word: &'static str, about: &'static str, hidden: bool) -> Command {
    // What its options' own text says is about them, not about the command.
    A::augment_args(Command::new(word)).about(about.trim_ascii()).long_about(None::<&str>).hide(hidden)
}

/// Makes an enum of commands from rows: its help, its word, whether it is hidden from the help, and its options.
macro_rules! commands {
    ($($(#[doc = $about:literal])+ $word:literal $($hidden:ident)? => $variant:ident($args:ty),)+) => {
        /// Every command. The first line of its row is its help; its file's `Args` are its options.
        #[derive(Debug)]
        pub enum Command {
            $($(#[doc = $about])+ $variant($args),)+
        }

        impl Command {
            /// The row of this word.
            fn row(word: &str) -> Option<clap::Command> {
                match word {
                    $($word => Some(list::row::<$args>($word, concat!($($about),+), is_hidden!($($hidden)?))),)+
                    _ => None,
                }
            }
        }

        impl clap::Subcommand for Command {
            fn augment_subcommands(all: clap::Command) -> clap::Command {
                all.subcommands([$($word),+].into_iter().filter_map(Self::row))
            }

            fn augment_subcommands_for_update(all: clap::Command) -> clap::Command {
                Self::augment_subcommands(all)
            }

            fn has_subcommand(word: &str) -> bool {
                matches!(word, $($word)|+)
            }
        }

        impl clap::FromArgMatches for Command {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                Self::from_arg_matches_mut(&mut matches.clone())
            }

            fn from_arg_matches_mut(matches: &mut clap::ArgMatches) -> Result<Self, clap::Error> {
                use clap::error::{Error, ErrorKind};
                let (word, mut matches) =
                    matches.remove_subcommand().ok_or_else(|| Error::new(ErrorKind::MissingSubcommand))?;
                match word.as_str() {
                    $($word => <$args as clap::FromArgMatches>::from_arg_matches_mut(&mut matches).map(Self::$variant),)+
                    _ => Err(Error::new(ErrorKind::InvalidSubcommand)),
                }
            }

            fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

/// Whether the word is there.
macro_rules! is_hidden {
    () => {
        false
    };
    (hidden) => {
        true
    };
}

pub(super) use {commands, is_hidden};
