//! `serve`: the captioner behind HTTP.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser};
use models::SearchOptions;
use serve::{Backend, ModelArgs, SearchArgs};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serve a trained captioner: a web page and a JSON interface.
#[derive(Parser)]
#[command(name = "serve", version)]
struct Cli {
    #[command(flatten)]
    model: ModelArgs,
    /// The address to listen on; 0.0.0.0 makes it reachable from other machines.
    #[arg(long, env = "SHOWTELL_HOST", default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// The port to listen on; 0 takes any free one.
    #[arg(long, env = "SHOWTELL_PORT", default_value_t = 5000, value_name = "PORT")]
    port: u16,
    #[command(flatten)]
    search: SearchArgs,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let cli = Cli::parse();
    // All that the beam holds: the page shows the others beside the best.
    let search = cli.search.options(cli.search.beam);
    let search = search.unwrap_or_else(|wrong| wrong.format(&mut Cli::command()).exit());
    match run(&cli, search) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(cli: &Cli, search: SearchOptions) -> anyhow::Result<()> {
    // The port first: a busy one is found before the model is loaded.
    let address = SocketAddr::new(cli.host, cli.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "{address}: cannot listen there; stop what does, or take another --port (make: PORT=)"
        )
    })?;
    let captioner = cli.model.open(None)?;
    let name = cli.model.model.canonicalize().ok();
    let name = name.as_deref().and_then(|path| path.file_name());
    let name = name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
    eprintln!(
        "model {name} with {} on {} (asked for: {})",
        captioner.encoder_name(),
        captioner.device(),
        cli.model.device
    );
    let app = serve::app(Backend::start(&name, captioner, search))?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(stop()).await?;
    Ok(())
}

/// Ends when the process is asked to stop: SIGINT or SIGTERM.
async fn stop() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
