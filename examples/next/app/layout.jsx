import './style.css';

export const metadata = { title: 'Next.js behind Gatehouse' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
