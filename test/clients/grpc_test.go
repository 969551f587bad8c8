package clients

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"lamplighter/test/internal/rig"
)

// interopCases are gRPC's own cases of interoperability: unary calls and streams,
// large messages, metadata and trailers, status details, cancellation, deadlines.
var interopCases = []interopCase{
	{"empty_unary", onService(interop.DoEmptyUnaryCall)},
	{"large_unary", onService(interop.DoLargeUnaryCall)},
	{"client_streaming", onService(interop.DoClientStreaming)},
	{"server_streaming", onService(interop.DoServerStreaming)},
	{"ping_pong", onService(interop.DoPingPong)},
	{"empty_stream", onService(interop.DoEmptyStream)},
	{"timeout_on_sleeping_server", onService(interop.DoTimeoutOnSleepingServer)},
	{"cancel_after_begin", onService(interop.DoCancelAfterBegin)},
	{"cancel_after_first_response", onService(interop.DoCancelAfterFirstResponse)},
	{"custom_metadata", onService(interop.DoCustomMetadata)},
	{"status_code_and_message", onService(interop.DoStatusCodeAndMessage)},
	{"special_status_message", onService(interop.DoSpecialStatusMessage)},
	{"unimplemented_method", func(ctx context.Context, conn *grpc.ClientConn, _ testgrpc.TestServiceClient) {
		interop.DoUnimplementedMethod(ctx, conn)
	}},
	{"unimplemented_service", func(ctx context.Context, conn *grpc.ClientConn, _ testgrpc.TestServiceClient) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
	}},
}

type interopCase struct {
	name string
	run  func(context.Context, *grpc.ClientConn, testgrpc.TestServiceClient)
}

func onService(run func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn, testgrpc.TestServiceClient) {
	return func(ctx context.Context, _ *grpc.ClientConn, client testgrpc.TestServiceClient) { run(ctx, client) }
}

// TestGRPCInteroperability runs gRPC's own cases of interoperability, one after
// the other, while the token is replaced.
func TestGRPCInteroperability(t *testing.T) {
	t.Parallel()
	var sites []*site
	for _, overlap := range []string{"none", "until_expiry"} {
		is := newIssuer(t, overlap != "none")
		sites = append(sites, &site{name: "overlap " + overlap, upstream: "h2c://" + startGRPC(t, is.mayCall), issuer: is, overlap: overlap, options: "\t\tprotocols h1 h2 h2c"})
	}
	runSites(t, sites...)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			calls, done := 0, rotated(s)
			for calls < len(interopCases) || !done() {
				c := interopCases[calls%len(interopCases)]
				ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
				err := caught(func() { c.run(ctx, conn, testgrpc.NewTestServiceClient(conn)) })
				cancel()
				if err != nil {
					t.Fatalf("after %d cases, %s: %v", calls, c.name, err)
				}
				calls++
			}
			t.Logf("%d cases\n%s", calls, rejections(s))
		})
	}
}

// TestGRPCCallsAreMadeAgainWhenTheirTokenDiesUnderWay runs the cases against a server
// that looks at the token of each case's first call when another has taken its place,
// and says with a status of gRPC that it is dead. The client of a stream in both
// directions is silent by then: it waits for an answer. Fault D7.
func TestGRPCCallsAreMadeAgainWhenTheirTokenDiesUnderWay(t *testing.T) {
	t.Parallel()
	is := newIssuer(t, false)
	var seen sync.Map
	upstream := startGRPC(t, func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		if _, again := seen.LoadOrStore(md.Get("user-agent")[0], true); !again {
			is.outlived(ctx, md.Get("authorization")[0])
		}
		return is.mayCall(ctx)
	})
	s := &site{
		upstream: "h2c://" + upstream, issuer: is, overlap: "until_expiry",
		options:  "\t\tprotocols h1 h2 h2c",
		settings: "\t\t\treplay_buffer 1MiB\n\t\t\trejected {\n\t\t\t\tstatus 200\n\t\t\t\theader Grpc-Status 16\n\t\t\t}",
	}
	runSites(t, s)
	for _, c := range interopCases {
		t.Run(c.name, func(t *testing.T) {
			conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUserAgent(c.name))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			defer cancel()
			if err := caught(func() { c.run(ctx, conn, testgrpc.NewTestServiceClient(conn)) }); err != nil {
				t.Fatal(err)
			}
		})
	}
	if is.refused() < 9 {
		t.Errorf("only %d calls were rejected", is.refused())
	}
}

// mayCall is what a server of gRPC asks before it looks at a call.
func (is *issuer) mayCall(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if is.accepts(md.Get("authorization")...) {
		return nil
	}
	return status.Error(codes.Unauthenticated, "the access token is not valid")
}

// startGRPC starts gRPC's own server for these cases, which asks whether a call may
// be made.
func startGRPC(t *testing.T, check func(context.Context) error) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := check(ctx); err != nil {
				return nil, err
			}
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := check(stream.Context()); err != nil {
				return err
			}
			return handler(srv, stream)
		}))
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// The cases end the process when they fail, by a fatal line in gRPC's log.
func init() { grpclog.SetLoggerV2(fatal{grpclog.NewLoggerV2(discard{}, discard{}, discard{})}) }

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// fatal is a log whose fatal lines are panics.
type fatal struct{ grpclog.LoggerV2 }

func (fatal) Fatal(args ...any)                 { panic(failed(fmt.Sprint(args...))) }
func (fatal) Fatalln(args ...any)               { panic(failed(fmt.Sprintln(args...))) }
func (fatal) Fatalf(format string, args ...any) { panic(failed(fmt.Sprintf(format, args...))) }

type failed string

// caught runs a case and returns its fatal line.
func caught(run func()) (err error) {
	defer func() {
		if line, ok := recover().(failed); ok {
			err = fmt.Errorf("%s", string(line))
		}
	}()
	run()
	return nil
}
