import { getUser } from '../../user.js';

export async function GET() {
  const user = await getUser();
  if (!user) return new Response(null, { status: 401 });
  return Response.json({ greeting: 'Hello! The gateway told me who you are.', subject: user.id });
}
