// The image's health check: exit code 0 once the node serves clients.
const response = await fetch("http://127.0.0.1:7199/ready").catch(() => null)
process.exit(response?.ok === true ? 0 : 1)
