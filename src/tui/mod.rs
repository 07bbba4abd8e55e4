//! The screen.
//!
//! `theme` and `glyphs` say how roles and signs look on this terminal, `pen` draws them, `widgets` are the parts that panes are
//! made of, `view` the screens, `format` writes numbers, `writer` and `terminal` bring a frame to the terminal and keys back.

pub mod app;
pub mod commands;
pub mod format;
pub mod glyphs;
pub mod input;
pub mod keymap;
pub mod launch;
pub mod model;
pub mod over;
pub mod pace;
pub mod palette;
pub mod pen;
pub mod session;
pub mod spots;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;
pub mod widgets;
pub mod writer;
