//! Man pages, generated from the definition of a command line.

use std::{fs, io, path::Path};

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use super::after_help::{self, Line};

/// Writes one page for a program and one for each subcommand that is not hidden (`echo-client.1`,
/// `echo-client-ping.1`, ...) to a directory, which it creates if necessary.
///
/// # Errors
///
/// The directory cannot be created, or a file cannot be written.
pub fn write(mut program: Command, directory: &Path) -> io::Result<()> {
    let source = format!("{} {}", program.get_name(), program.get_version().unwrap_or_default());
    program = program.disable_help_subcommand(true);
    program.build();
    fs::create_dir_all(directory)?;
    write_pages(&program, &source, directory)
}

fn write_pages(command: &Command, source: &str, directory: &Path) -> io::Result<()> {
    // The date is a space: a real date would change the page with every build, and an empty one would shift
    // the fields after it.
    let man = Man::new(command.clone()).date(" ").source(source).manual("User Commands");
    fs::write(directory.join(man.get_filename()), page(&man, command)?)?;
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_pages(subcommand, source, directory)?;
    }
    Ok(())
}

fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    after.map_or_else(Roff::new, |text| sections(&text.to_string())).to_writer(&mut page)?;
    Ok(page)
}

/// Renders the help after the options: a title becomes a heading, and a row a paragraph with a tag.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for line in after_help::parse(text) {
        match line {
            Line::Title(title) => roff.control("SH", [&title.to_uppercase()[..]]),
            Line::Row(key, description) => {
                roff.control("TP", []).text([roman(key)]).text([roman(description)])
            }
            Line::Text("") => &mut roff,
            Line::Text(text) => roff.control("PP", []).text([roman(text.trim_start())]),
        };
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn writes_a_page_for_every_command_that_is_not_hidden() {
        let program = Command::new("echo-x")
            .version("1.2")
            .after_long_help("Examples:\n  echo-x -a   do it\n\nExit status:\n  0  done")
            .subcommand(Command::new("ping").about("Ask").arg(Arg::new("count").long("count")))
            .subcommand(Command::new("secret").hide(true));
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("man");
        write(program, &directory).unwrap();
        let files = fs::read_dir(&directory).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["echo-x-ping.1", "echo-x.1"]);
        let page = fs::read_to_string(directory.join("echo-x.1")).unwrap();
        for part in [
            ".TH echo-x 1 \" \" \"echo-x 1.2\"",
            ".SH EXAMPLES\n.TP\necho\\-x \\-a\ndo it\n",
            ".SH \"EXIT STATUS\"\n.TP\n0\ndone\n",
        ] {
            assert!(page.contains(part), "{part} is missing in:\n{page}");
        }
    }
}
