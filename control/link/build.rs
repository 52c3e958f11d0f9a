//! Compiles `proto/link.proto` without a protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/link.proto");
    let files = protox::compile(["link.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .build_server(true)
        .build_client(true)
        .compile_fds(files)?;
    Ok(())
}
