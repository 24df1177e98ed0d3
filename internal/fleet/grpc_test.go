package fleet

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// callee is a service that answers with what it was asked, and notes how calls of it ended.
type callee struct {
	pb.UnimplementedTestServiceServer
	mu    sync.Mutex
	waits map[string]*wait // by what the call said
}

// wait is a call that lasts for as long as its caller likes.
type wait struct {
	begun chan struct{}
	ended chan error
}

func (c *callee) wait(body string) *wait {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits[body] == nil {
		c.waits[body] = &wait{make(chan struct{}, 1), make(chan error, 1)}
	}
	return c.waits[body]
}

func (c *callee) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	token := ""
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) == 1 {
		token = values[0]
	}
	claims, ok := claimsOf(token)
	if !ok {
		return nil, status.Error(codes.Unauthenticated, "no token came with the call")
	}
	if e := r.GetResponseStatus(); e != nil {
		_ = grpc.SetTrailer(ctx, metadata.Pairs("x-why", "because", "x-why-bin", "\x00\xff"))
		return nil, status.Error(codes.Code(e.GetCode()), e.GetMessage())
	}
	if _, ok := ctx.Deadline(); !ok {
		return nil, status.Error(codes.Internal, "no deadline came with the call")
	}
	if body := string(r.GetPayload().GetBody()); strings.HasPrefix(body, "wait") {
		w := c.wait(body)
		w.begun <- struct{}{}
		<-ctx.Done()
		w.ended <- ctx.Err()
		return nil, ctx.Err()
	}
	return &pb.SimpleResponse{Payload: r.GetPayload(), Username: claims.Subject}, nil
}

func (c *callee) FullDuplexCall(s pb.TestService_FullDuplexCallServer) error {
	s.SetTrailer(metadata.Pairs("x-end", "the end"))
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.OutOfRange, "that was all")
		}
		if err != nil {
			c.wait("stream").ended <- s.Context().Err()
			return err
		}
		if err := s.Send(&pb.StreamingOutputCallResponse{Payload: r.GetPayload()}); err != nil {
			return err
		}
	}
}

// TestGRPC: calls of a signed-in client reach a service over HTTP/2 with and without TLS,
// one message at a time either way, and with them their deadlines, ends, status and trailers.
func TestGRPC(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	pool := StartPool(t, PoolOptions{})
	lender := httptest.NewTLSServer(nil)
	lender.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.TLS.Certificates[0].Certificate[0]})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for scheme, creds := range map[string]credentials.TransportCredentials{
		"h2c":   insecure.NewCredentials(),
		"https": credentials.NewTLS(&tls.Config{Certificates: lender.TLS.Certificates, MinVersion: tls.VersionTLS12}),
	} {
		t.Run(scheme, func(t *testing.T) {
			called := &callee{waits: make(map[string]*wait)}
			route := map[string]any{"path": "/grpc.testing.TestService/", "upstream": scheme + "://" + serveGRPC(t, called, creds)}
			if scheme == "https" {
				route["upstream_tls"], route["upstream_protocol"] = map[string]any{"ca_file": authority}, "http2"
			}
			f := Start(t, Options{Instances: 1, Pool: pool, Store: at(server.URL), Top: map[string]any{"h2c": true, "routes": []any{route}}})
			c := f.grpcClient(t)
			ctx, cancel := context.WithTimeout(t.Context(), lastResort)
			defer cancel()
			if _, err := c.UnaryCall(ctx, &pb.SimpleRequest{}); status.Code(err) != codes.Unauthenticated {
				t.Errorf("without a session: %v", err)
			}
			ctx = metadata.AppendToOutgoingContext(ctx, "cookie", f.SignIn(0).Cookie(), "sec-fetch-site", "same-origin")
			t.Run("unary", func(t *testing.T) { callsOnce(ctx, t, c) })
			t.Run("both_ways", func(t *testing.T) { callsBothWays(ctx, t, c) })
			t.Run("deadline", func(t *testing.T) { runsOut(ctx, t, c, called) })
			t.Run("leaving", func(t *testing.T) { leaves(ctx, t, c, called) })
		})
	}
}

// serveGRPC serves until the end of the test, and returns where.
func serveGRPC(t *testing.T, service pb.TestServiceServer, creds credentials.TransportCredentials) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(creds))
	pb.RegisterTestServiceServer(s, service)
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(s.Stop)
	return ln.Addr().String()
}

// grpcClient is a client of the public address.
func (f *Fleet) grpcClient(t *testing.T) pb.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(PublicURL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", f.Gateways[0].Addr)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewTestServiceClient(conn)
}

func callsOnce(ctx context.Context, t *testing.T, c pb.TestServiceClient) {
	long := strings.Repeat("x", 1<<20)
	for _, body := range []string{"hello", long} {
		r, err := c.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(body)}})
		if err != nil || string(r.GetPayload().GetBody()) != body || r.GetUsername() == "" {
			t.Errorf("%.10s: %d bytes for %q, %v", body, len(r.GetPayload().GetBody()), r.GetUsername(), err)
		}
	}
	var trailer metadata.MD
	_, err := c.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "not now: 50 % ü"}}, grpc.Trailer(&trailer))
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "not now: 50 % ü" {
		t.Errorf("status: %v", err)
	}
	if got := strings.Join(append(trailer["x-why"], trailer["x-why-bin"]...), ", "); got != "because, \x00\xff" {
		t.Errorf("trailers: %q", trailer)
	}
}

func callsBothWays(ctx context.Context, t *testing.T, c pb.TestServiceClient) {
	s, err := c.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"one", "two", "three"} { // each is answered before the next is sent
		if err := s.Send(&pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: []byte(body)}}); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Recv(); err != nil || string(r.GetPayload().GetBody()) != body {
			t.Fatalf("%q, %v; want %s", r.GetPayload().GetBody(), err, body)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); status.Code(err) != codes.OutOfRange || status.Convert(err).Message() != "that was all" {
		t.Errorf("the end: %v", err)
	}
	if end := s.Trailer().Get("x-end"); len(end) != 1 || end[0] != "the end" {
		t.Errorf("trailers: %v", s.Trailer())
	}
}

func runsOut(ctx context.Context, t *testing.T, c pb.TestServiceClient, called *callee) {
	const body = "wait for the deadline"
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := c.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(body)}})
	// Unavailable is what the client sees where the service hears its clock first, and ends
	// the stream.
	if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Unavailable {
		t.Errorf("the deadline's end: %v", err)
	}
	select {
	case <-called.wait(body).begun:
		if err := <-called.wait(body).ended; err == nil { // by the deadline, or the client's leaving
			t.Error("the service's call goes on after its deadline")
		}
	default: // the machine is so busy that it passed on the way
	}
}

func leaves(ctx context.Context, t *testing.T, c pb.TestServiceClient, called *callee) {
	const body = "wait for the client to leave"
	call, leave := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := c.UnaryCall(call, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(body)}})
		done <- err
	}()
	<-called.wait(body).begun
	leave()
	if err := <-done; status.Code(err) != codes.Canceled {
		t.Errorf("a call that was left: %v", err)
	}
	if err := <-called.wait(body).ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the service saw its call end with %v", err)
	}
	stream, leave := context.WithCancel(ctx)
	defer leave()
	s, err := c.FullDuplexCall(stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: []byte("one")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	leave()
	if err := <-called.wait("stream").ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the service saw its stream end with %v", err)
	}
}

// TestGRPCEndsAcrossTheFleet: a call that lasts at one instance ends when its session is
// ended at another.
func TestGRPCEndsAcrossTheFleet(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	called := &callee{waits: make(map[string]*wait)}
	route := map[string]any{"path": "/grpc.testing.TestService/", "upstream": "h2c://" + serveGRPC(t, called, insecure.NewCredentials())}
	f := Start(t, Options{Instances: 2, Pool: StartPool(t, PoolOptions{}), Store: at(server.URL), Top: map[string]any{"h2c": true, "routes": []any{route}}})
	waitFor(t, "caches in use", func() bool { return hear(f) })
	c := f.grpcClient(t)
	const rounds = logouts / 5
	var took []time.Duration
	for range rounds {
		took = append(took, endOfCall(t, f, c, called))
	}
	slices.Sort(took)
	p50, p99, most := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d calls ended after p50 %v, p99 %v, at most %v", rounds, p50, p99, most)
	if soak && p99 > staleness {
		t.Errorf("99 of 100 calls end after %v, want %v at most", p99, staleness)
	}
}

// endOfCall begins a call at the first instance, signs out at the second, and returns how
// long after that's answer the call had ended, for the caller and for the service.
func endOfCall(t *testing.T, f *Fleet, c pb.TestServiceClient, called *callee) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lastResort)
	defer cancel()
	b := f.SignIn(1)
	s, err := c.FullDuplexCall(metadata.AppendToOutgoingContext(ctx, "cookie", b.Cookie(), "sec-fetch-site", "same-origin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: []byte("one")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	if a, err := b.Post(ctx, 1, "/auth/logout", "{}"); err != nil || a.Status != http.StatusOK {
		t.Errorf("logout: %d %s, %v", a.Status, a.Body, err)
	}
	answered := time.Now()
	if _, err := s.Recv(); err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil {
		t.Errorf("the call ends with %v", err)
	}
	if err := <-called.wait("stream").ended; err == nil {
		t.Error("the service's call goes on")
	}
	return time.Since(answered)
}
