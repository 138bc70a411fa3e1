import { Frame } from "./frame/Frame";
import { Boundary } from "./parts/Boundary";
import { Later } from "./parts/Later";
import { route, type Route } from "./router";

const runs = () => import("./runs/RunsPage");
const run = () => import("./run/RunPage");
const start = () => import("./start/StartPage");
const chat = () => import("./chat/ChatPage");
const ratings = () => import("./chat/RatingsPage");
const workers = () => import("./workers/WorkersPage");
const dashboard = () => import("./dashboard/DashboardPage");
const alerts = () => import("./alerts/AlertsPage");
const account = () => import("./account/AccountPage");

export function App() {
  const at = route.value;
  return (
    <Frame>
      <Boundary what="This page" key={at.page}>{pageOf(at)}</Boundary>
    </Frame>
  );
}

function pageOf(at: Route) {
  switch (at.page) {
    case "runs": return <Later load={runs} props={{}} />;
    case "run": return <Later load={run} key={at.runId} props={{ runId: at.runId }} />;
    case "start": return <Later load={start} props={{}} />;
    case "chat": return <Later load={chat} props={{ conversation: at.conversation }} />;
    case "ratings": return <Later load={ratings} props={{}} />;
    case "workers": return <Later load={workers} props={{}} />;
    case "dashboard": return <Later load={dashboard} props={{}} />;
    case "alerts": return <Later load={alerts} props={{}} />;
    case "account": return <Later load={account} props={{}} />;
    case "unknown": return <p class="empty">There is nothing at {at.path}. <a class="link" href="/runs">See all runs</a></p>;
  }
}
