"""What people's own programs do with a SOCKS proxy, by hand and with python's own clients.

socks.py dns PROXY_PORT DNS_PORT NAME         a DNS query through UDP ASSOCIATE, prints the address
socks.py ftp PROXY_PORT FTP_PORT FILE         active mode through BIND with ftplib, prints the file's SHA-256
socks.py http PROXY_PORT URL                  urllib through the HTTP proxy, prints the page's SHA-256
"""
import ftplib, hashlib, ipaddress, socket, struct, sys, urllib.request


def place(host, port):
    return b"\x01" + ipaddress.IPv4Address(host).packed + struct.pack(">H", port)


def read(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError("closed after %d bytes" % len(data))
        data += more
    return data


def answer(sock):
    """One reply with an IPv4 address: (host, port)."""
    head = read(sock, 4)
    if head[:2] != b"\x05\x00" or head[3] != 1:
        raise OSError("reply %r" % head)
    return str(ipaddress.IPv4Address(read(sock, 4))), struct.unpack(">H", read(sock, 2))[0]


def ask(proxy, command, host, port):
    sock = socket.create_connection(("127.0.0.1", proxy), timeout=30)
    sock.sendall(b"\x05\x01\x00")
    if read(sock, 2) != b"\x05\x00":
        raise OSError("method")
    sock.sendall(b"\x05" + bytes([command]) + b"\x00" + place(host, port))
    return sock, answer(sock)


def exchange(udp, relay, datagram, source_place, number):
    """Asks until the answer of that number is there, as resolvers do: datagrams may be lost."""
    for _ in range(20):
        udp.sendto(datagram, relay)
        try:
            while True:
                data, source = udp.recvfrom(65535)
                if source != relay or data[:3] != b"\0\0\0" or data[3:10] != source_place:
                    raise OSError("datagram %r from %r" % (data, source))
                if data[10:12] == number:
                    return data[10:]
        except socket.timeout:
            pass
    raise OSError("no answer")


def dns(proxy, port, name):
    control, relay = ask(proxy, 3, "0.0.0.0", 0)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(2)
    question = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    for number, host in enumerate((place("127.0.0.1", port), b"\x03\x09localhost" + struct.pack(">H", port))):
        query = struct.pack(">HHHHHH", 0x1234 + number, 0x0100, 1, 0, 0, 0) + question
        message = exchange(udp, relay, b"\0\0\0" + host + query, place("127.0.0.1", port), query[:2])
        if struct.unpack(">H", message[6:8])[0] != 1:
            raise OSError("answer %r" % message)
        address = message[-4:]
    control.close()
    print(ipaddress.IPv4Address(address))


class ActiveFTP(ftplib.FTP):
    """FTP whose data connections come in at the exit."""

    def ntransfercmd(self, cmd, rest=None):
        bound, (host, port) = ask(self.proxy, 2, "127.0.0.1", self.server)
        self.sendport(host, port)
        resp = self.sendcmd(cmd)
        if resp[0] != "1":
            raise ftplib.error_reply(resp)
        answer(bound)
        return bound, None


def ftp(proxy, port, name):
    f = ActiveFTP()
    f.proxy, f.server = proxy, port
    f.sock, _ = ask(proxy, 1, "127.0.0.1", port)
    f.af, f.host, f.file = socket.AF_INET, "127.0.0.1", None
    f.file = f.sock.makefile("r", encoding="latin-1")
    f.getresp()
    f.login("anonymous", "x")
    h = hashlib.sha256()
    f.retrbinary("RETR " + name, h.update)
    f.storbinary("STOR " + name, open(__file__, "rb"))
    f.quit()
    print(h.hexdigest())


def http(proxy, url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": "http://127.0.0.1:%d" % proxy}))
    with opener.open(url, timeout=30) as page:
        print(hashlib.sha256(page.read()).hexdigest())


if __name__ == "__main__":
    what, proxy, *rest = sys.argv[1:]
    if what == "http":
        http(int(proxy), *rest)
    else:
        {"dns": dns, "ftp": ftp}[what](int(proxy), int(rest[0]), rest[1])
