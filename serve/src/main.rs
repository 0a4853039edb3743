//! `serve`: the HTTP server.

mod log;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use caption_options::{ModelArgs, SearchArgs};
use clap::{CommandFactory as _, Parser};
use common::program::{SERVE, explain, print};
use models::SearchOptions;
use models::device::cuda_warning;
use serve::{Backend, Draining, Options, Seconds};
use tikv_jemallocator::Jemalloc;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tracing_subscriber::EnvFilter;

/// Large images are allocated and freed on long-lived threads. Background threads of jemalloc return unused pages after
/// some seconds; glibc keeps them while memory above them is in use. Measurements are in deploy/README.md.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Serve a trained captioner: a web page and a JSON API.
#[derive(Parser)]
#[command(name = "serve", version = common::version!())]
struct Cli {
    #[command(flatten)]
    model: ModelArgs,
    /// The address to listen on; 0.0.0.0 is reachable from other machines.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// The port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 5000, value_name = "PORT")]
    port: u16,
    /// The format of the log on standard error.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: log::Format,
    /// The level of the log: off, error, warn, info, debug or trace; or levels of targets, such as `showtell=debug` or
    /// `warn,hyper=debug`.
    #[arg(long, default_value = "info", value_name = "LEVEL", value_parser = log::filter)]
    log: EnvFilter,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    SERVE.with_native(models::runtime::native_versions).run(|cli: Cli| {
        // All captions of the beam: the page also shows the others.
        let search = cli.search.options(cli.search.beam);
        let search = search.unwrap_or_else(|error| error.format(&mut Cli::command()).exit());
        let checked = cli.options.check();
        checked.unwrap_or_else(|error| error.format(&mut Cli::command()).exit());
        log::start(cli.log.clone(), cli.log_format);
        let threads = cli.options.blocking_threads();
        let runtime =
            Builder::new_multi_thread().enable_all().max_blocking_threads(threads).build()?;
        let ended = runtime.block_on(run(&cli, search));
        // Does not wait for a photo that is decoded for a closed connection.
        runtime.shutdown_background();
        ended.map(|()| ExitCode::SUCCESS)
    })
}

async fn run(cli: &Cli, search: SearchOptions) -> anyhow::Result<()> {
    // The port first: a busy port is found before the model is loaded. Clients that connect meanwhile wait.
    let address = SocketAddr::new(cli.host, cli.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "{address}: cannot listen: stop the program that does, or use another --port (make: PORT=)"
        )
    })?;
    let draining = Draining::default();
    let stop = stop(draining.clone(), cli.options.drain_time)?;
    let captioner = cli.model.open(None, cli.options.limits(), true)?;
    if let Some(problem) = captioner.cuda_problem() {
        tracing::warn!("{}", cuda_warning(problem));
    }
    let name = model_name(&cli.model.folder());
    tracing::info!(
        "model {name} with {} on {} (requested: {})",
        captioner.encoder_name(),
        captioner.device(),
        cli.model.device
    );
    let backend = Backend::start(&name, captioner, search, &cli.options)?;
    let model_ended = backend.model_ended();
    let app = serve::app(backend, cli.options.clone(), draining)?;
    let address = listener.local_addr()?;
    tracing::info!("listening at http://{address}/");
    if !address.ip().to_canonical().is_loopback() && cli.options.api_key.is_none() {
        tracing::warn!(
            "{address}: no API key: every client that can reach this address is answered: set a key with --api-key \
             (SHOWTELL_SERVE_API_KEY), or listen on 127.0.0.1 (--host)"
        );
    }
    if let Err(error) = print(format_args!("http://{address}/")) {
        // Standard output is closed; the server works without it.
        tracing::warn!("the address cannot be printed: {}", explain(&error));
    }
    serve::run(listener, app, &cli.options, stop, model_ended).await?;
    tracing::info!("stopped");
    Ok(())
}

/// The name of a model: that of its folder.
fn model_name(folder: &Path) -> String {
    let full = folder.canonicalize().ok();
    let name = full.as_deref().and_then(Path::file_name);
    name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Ends when the process has to stop: at once after SIGINT, `drain` after SIGTERM.
fn stop(draining: Draining, drain: Option<Seconds>) -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => if let Some(time) = drain {
                draining.begin();
                tracing::info!("draining: requests are accepted for {time} s more");
                tokio::select! {
                    () = sleep(time.into()) => {}
                    _ = interrupt.recv() => {}
                }
            }
        }
        tracing::info!("stopping: running requests are finished");
    })
}
