mod cli;
mod store;

use cli::Command;

fn main() -> std::process::ExitCode {
    let args = cli::parse();
    let mut store = store::open_or_exit(&args);
    match args.command {
        Command::Train { theme } => store.train(theme),
        Command::Import { file } => store.import(&file),
        Command::Reset { theme } => store.reset(&theme),
        Command::Export { file, pretty } => store.export(&file, pretty),
        Command::Days => println!("{} days", store.days_in_a_row()),
    }
    if args.quiet {
        return 0.into();
    }
    println!();
    println!("{} cards, {} due", store.len(), store.due());
    0.into()
}
